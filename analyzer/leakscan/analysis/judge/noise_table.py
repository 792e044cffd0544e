"""What libraries keep by design, as one table of rows. `noise.py` asks it.

A row alone acquits nobody: what goes on growing run after run is a leak wherever it lies, unless the
row says that the library itself bounds it.
"""

from __future__ import annotations

from typing import Final

from leakscan.analysis.judge.noise_node import NODE
from leakscan.analysis.judge.noise_rule import NoiseRule
from leakscan.analysis.judge.test_runner import TEST_RUNNER

NOISE: Final = (
    NoiseRule(
        reason="names interned by the interpreter",
        root="interned strings",
        library="CPython",
        versions="3.11-3.15",
        example="interned strings > key 'x'",
    ),
    # Words of fixed memory, the type cache among them: each holds one object.
    NoiseRule(
        reason="the interpreter's own state",
        root="(thread state|pending calls|interpreter state|runtime state|type attribute cache)$",
        is_direct=True,
        is_bounded=True,
        library="CPython",
        versions="3.11-3.15",
        example="type attribute cache > holds",
    ),
    NoiseRule(
        reason="a variable of a C library",
        root="C variable of ",
        is_direct=True,
        is_bounded=True,
        library="any extension",
        versions="any",
        example="C variable of libfoo.so > holds",
    ),
    NoiseRule(
        reason="the interpreter's own state",
        root="(thread state|interpreter state|runtime state)$",
        library="CPython",
        versions="3.11-3.15",
        example="interpreter state > holds > ['*']",
    ),
    NoiseRule(
        reason="the interpreter's own state",
        root="(modules by index|interpreter dict|.*(builtins|sys module) dict)",
        library="CPython",
        versions="3.11-3.15",
        example="modules by index > [*]",
    ),
    # Bases, subclasses and caches of a class go with the class, which is told of where it is held.
    NoiseRule(
        reason="type machinery",
        anywhere=r"\.(__(subclasses|mro|bases?)__|tp_cache)",
        is_bounded=True,
        library="CPython",
        versions="3.11-3.15",
        example="module app > Base > .__subclasses__",
    ),
    # At most 30 (`SHARED_KEYS_MAX_SIZE` of CPython's Objects/dictobject.c); they outlive the attributes.
    NoiseRule(
        reason="names of attributes, in the keys that a class shares",
        anywhere=r"\.shared keys",
        is_bounded=True,
        library="CPython",
        versions="3.11-3.15",
        example="module app > Session > .shared keys",
    ),
    NoiseRule(
        reason="tables of asyncio",
        anywhere=r"\['__asyncio_running_event_loop__'\]",
        library="CPython",
        versions="3.11-3.13",
        example="thread 'MainThread' > ['__asyncio_running_event_loop__']",
    ),
    NoiseRule(
        reason="codecs looked up",
        root="codec ",
        library="CPython",
        versions="3.11-3.15",
        example="codec cache > ['*']",
    ),
    NoiseRule(
        reason="warnings already given",
        root="warnings state",
        library="CPython",
        versions="3.11-3.15",
        example="warnings state > holds",
    ),
    NoiseRule(
        reason="the import system",
        root="import",
        library="CPython",
        versions="3.11-3.15",
        example="importlib > holds",
    ),
    NoiseRule(
        reason="module imported lazily",
        root="sys.modules",
        library="CPython",
        versions="3.11-3.15",
        example="sys.modules > ['*']",
    ),
    # 512 patterns (`_MAXCACHE` of Lib/re/__init__.py).
    NoiseRule(
        reason="patterns compiled and kept by re",
        modules="re re.* sre_compile sre_parse",
        name="_cache2?|_ZEROSTAR",
        is_bounded=True,
        library="CPython",
        versions="3.11-3.15",
        example="module re > _cache > ['*']",
    ),
    NoiseRule(
        reason="patterns compiled and kept by re",
        modules="re re.* sre_compile sre_parse tokenize",
        name=r"_compile\w*|.*cache.*",
        library="CPython",
        versions="3.11-3.15",
        example="module tokenize > _compile > ['*']",
    ),
    NoiseRule(
        reason="source lines kept for tracebacks",
        modules="linecache",
        name="cache|_interactive_cache",
        library="CPython",
        versions="3.11-3.15",
        example="module linecache > cache > ['*']",
    ),
    # At most 5 (`_CACHE_MAX_SIZE` of Lib/_strptime.py).
    NoiseRule(
        reason="formats and patterns of date parsing",
        modules="_strptime",
        is_bounded=True,
        library="CPython",
        versions="3.11-3.15",
        example="module _strptime > _regex_cache > ['*']",
    ),
    NoiseRule(
        reason="caches of functools",
        modules="functools",
        library="CPython",
        versions="3.11-3.15",
        example="module functools > _lru_cache_wrapper",
    ),
    NoiseRule(
        reason="caches of typing",
        modules="typing typing_extensions",
        name="_.*",
        library="CPython",
        versions="3.11-3.15",
        example="module typing > _cleanups > [*]",
    ),
    NoiseRule(
        reason="classes built by the standard library",
        modules="enum dataclasses collections types abc _abc _py_abc",
        library="CPython",
        versions="3.11-3.15",
        example="module abc > ABCMeta",
    ),
    NoiseRule(
        reason="registries of abstract base classes",
        anywhere=r"\._abc_(impl|registry|cache|negative_cache)",
        library="CPython",
        versions="3.11-3.15",
        example="module app > Base > ._abc_impl",
    ),
    NoiseRule(
        reason="tables of logging",
        modules="logging logging.*",
        library="CPython",
        versions="3.11-3.15",
        example="module logging > _handlers > ['*']",
    ),
    NoiseRule(
        reason="tables of logging",
        anywhere=r"\.loggerDict",
        library="CPython",
        versions="3.11-3.15",
        example="module app > manager > .loggerDict > ['*']",
    ),
    NoiseRule(
        reason="warnings already given",
        modules="warnings",
        library="CPython",
        versions="3.11-3.15",
        example="module warnings > filters > [*]",
    ),
    NoiseRule(
        reason="warnings already given",
        anywhere=r"\.?__warningregistry__",
        library="CPython",
        versions="3.11-3.15",
        example="module app > __warningregistry__ > ['*']",
    ),
    NoiseRule(
        reason="codecs looked up",
        modules="encodings encodings.* codecs",
        library="CPython",
        versions="3.11-3.15",
        example="module encodings > _cache > ['*']",
    ),
    NoiseRule(
        reason="the import system",
        modules="importlib importlib.* zipimport pkgutil _frozen_importlib",
        library="CPython",
        versions="3.11-3.15",
        example="module _frozen_importlib > _module_locks > ['*']",
    ),
    NoiseRule(
        reason="the import system",
        modules="_frozen_importlib_external runpy site",
        library="CPython",
        versions="3.11-3.15",
        example="module _frozen_importlib_external > _relax_case",
    ),
    NoiseRule(
        reason="the import system",
        modules="sys",
        name="path_importer_cache|modules|meta_path|path_hooks|path",
        library="CPython",
        versions="3.11-3.15",
        example="module sys > path_importer_cache > ['*']",
    ),
    NoiseRule(
        reason="the import system",
        anywhere="__(spec|loader|path|cached|file)__",
        library="CPython",
        versions="3.11-3.15",
        example="module app > __spec__",
    ),
    NoiseRule(
        reason="caches of the standard library",
        modules="fnmatch glob struct _struct urllib.parse ipaddress",
        name=".*",
        library="CPython",
        versions="3.11-3.15",
        example="module fnmatch > _compile_pattern > ['*']",
    ),
    NoiseRule(
        reason="caches of the standard library",
        modules="copyreg mimetypes locale gettext calendar socket ssl json.*",
        library="CPython",
        versions="3.11-3.15",
        example="module copyreg > dispatch_table > ['*']",
    ),
    NoiseRule(
        reason="caches of the standard library",
        modules="traceback inspect ast dis tokenize pprint textwrap string difflib",
        library="CPython",
        versions="3.11-3.15",
        example="module traceback > _sentinel",
    ),
    NoiseRule(
        reason="caches of the standard library",
        modules="posixpath ntpath genericpath os stat shutil tempfile pathlib zoneinfo.*",
        library="CPython",
        versions="3.11-3.15",
        example="module tempfile > _name_sequence",
    ),
    NoiseRule(
        reason="state of the standard library",
        modules="random secrets uuid hashlib hmac decimal _pydecimal fractions numbers",
        library="CPython",
        versions="3.11-3.15",
        example="module random > _inst",
    ),
    NoiseRule(
        reason="state of the standard library",
        modules="platform sysconfig getpass zipfile subprocess signal selectors",
        library="CPython",
        versions="3.11-3.15",
        example="module subprocess > _active > [*]",
    ),
    NoiseRule(
        reason="bookkeeping of threads",
        modules="threading _threading_local _weakrefset weakref concurrent.futures.*",
        name="_.*",
        library="CPython",
        versions="3.11-3.15",
        example="module threading > _active > ['*']",
    ),
    NoiseRule(
        reason="tables of asyncio",
        modules="asyncio asyncio.* _asyncio",
        name="_.*",
        library="CPython",
        versions="3.11-3.15",
        example="module asyncio.events > _event_loop_policy",
    ),
    NoiseRule(
        reason="tables of the unittest runner",
        modules="unittest unittest.case unittest.suite unittest.runner unittest.result unittest.loader"
        " unittest.main unittest.signals unittest.util unittest.async_case unittest._log",
        is_bounded=True,
        is_runner=True,
        library="CPython",
        versions="3.11-3.15",
        example="module unittest.signals > _results > [*]",
    ),
    NoiseRule(
        reason=TEST_RUNNER,
        modules="pytest _pytest _pytest.* pluggy pluggy.* pytest_asyncio.* xdist.*",
        is_bounded=True,
        is_runner=True,
        library="pytest, pluggy, pytest-asyncio, pytest-xdist",
        versions="pytest 8-9",
        example="module _pytest.fixtures > x",
    ),
    NoiseRule(
        reason=TEST_RUNNER,
        modules="hypothesis hypothesis.* coverage coverage.*",
        is_bounded=True,
        is_runner=True,
        library="hypothesis, coverage",
        versions="hypothesis 6, coverage 7",
        example="module hypothesis.core > x",
    ),
    NoiseRule(
        reason="a library's own cache",
        modules="sqlalchemy.* pydantic.* jinja2.* dateutil.* babel.* numpy.* pandas.*",
        name=".*cache.*",
        library="SQLAlchemy, pydantic, Jinja, dateutil, Babel, NumPy, pandas",
        versions="SQLAlchemy 2, pydantic 2, Jinja 3, dateutil 2, Babel 2, NumPy 1-2, pandas 2-3",
        example="module sqlalchemy.util > _compiled_cache > ['*']",
    ),
    # Of a worker: `LimitedSet`s, whose `maxlen` the dict and the list inside of them do not show.
    NoiseRule(
        reason="the last tasks of a Celery worker, 1 000 done and 50 000 revoked at most",
        modules="celery.worker.state",
        name="successful_requests|revoked",
        is_bounded=True,
        library="Celery",
        versions="5",
        example="module celery.worker.state > successful_requests > ._data > ['*']",
    ),
    NoiseRule(
        reason="builtins",
        modules="builtins",
        library="CPython",
        versions="3.11-3.15",
        example="module builtins > print",
    ),
    *NODE,
)

HELD_BY: Final = {
    ("sqlite3.Connection", "weakref.ReferenceType"): "dead cursors, which sqlite3 drops every 200",
    # `_clear_dead_references` of pandas 2-3: at 500, or at twice as many as live.
    ("pandas._libs.internals.BlockValuesRefs", "weakref.ReferenceType"): "dead blocks, which pandas drops",
}
"""(type of the last old object, type of the survivors): what the library itself bounds."""
