"""What libraries keep by design, as one table: told apart from leaks, and never hidden without a count.

A rule alone acquits nobody: what goes on growing run after run is a leak wherever it lies, unless the
rule says that the library itself bounds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from leakscan.analysis.judge.test_runner import TEST_RUNNER, is_for_tests, runs_tests
from leakscan.analysis.results.findings import Path


@dataclass(frozen=True, slots=True)
class NoiseRule:
    """A place that a library fills by itself.

    `modules` are separated by spaces, `name.*` stands for a package with all its modules; `name` is a
    pattern for the first step, the module's global. For roots that are no modules, `root` is a pattern for
    the root; `is_direct` when the root itself must hold the survivors. `anywhere` is a pattern for any
    step's reference. `is_bounded`: the place cannot grow without limit, or the library lets go by itself.
    `is_runner`: it also holds what is the tests' own, which the rule does not speak for.
    """

    reason: str
    modules: str = ""
    name: str = ""
    root: str = ""
    anywhere: str = ""
    is_direct: bool = False
    is_bounded: bool = False
    is_runner: bool = False


NOISE: Final = (
    NoiseRule("names interned by the interpreter", root="interned strings"),
    # Words of fixed memory, the type cache among them: each holds one object.
    NoiseRule(
        "the interpreter's own state",
        root="(thread state|pending calls|interpreter state|runtime state|type attribute cache)$",
        is_direct=True,
        is_bounded=True,
    ),
    NoiseRule("a variable of a C library", root="C variable of ", is_direct=True, is_bounded=True),
    NoiseRule("the interpreter's own state", root="(thread state|interpreter state|runtime state)$"),
    NoiseRule(
        "the interpreter's own state", root="(modules by index|interpreter dict|.*(builtins|sys module) dict)"
    ),
    # Bases, subclasses and caches of a class go with the class, which is told of where it is held.
    NoiseRule("type machinery", anywhere=r"\.(__(subclasses|mro|bases?)__|tp_cache)", is_bounded=True),
    # At most 30 (`SHARED_KEYS_MAX_SIZE` of CPython's Objects/dictobject.c); they outlive the attributes.
    NoiseRule(
        "names of attributes, in the keys that a class shares", anywhere=r"\.shared keys", is_bounded=True
    ),
    NoiseRule("tables of asyncio", anywhere=r"\['__asyncio_running_event_loop__'\]"),
    NoiseRule("codecs looked up", root="codec "),
    NoiseRule("warnings already given", root="warnings state"),
    NoiseRule("the import system", root="import"),
    NoiseRule("module imported lazily", root="sys.modules"),
    NoiseRule(
        "patterns compiled and kept by re",
        "re re.* sre_compile sre_parse",
        r"_cache2?|_ZEROSTAR",
        is_bounded=True,
    ),
    NoiseRule(
        "patterns compiled and kept by re", "re re.* sre_compile sre_parse tokenize", r"_compile\w*|.*cache.*"
    ),
    NoiseRule("source lines kept for tracebacks", "linecache", "cache|_interactive_cache"),
    NoiseRule("formats and patterns of date parsing", "_strptime", is_bounded=True),
    NoiseRule("caches of functools", "functools"),
    NoiseRule("caches of typing", "typing typing_extensions", "_.*"),
    NoiseRule("classes built by the standard library", "enum dataclasses collections types abc _abc _py_abc"),
    NoiseRule("registries of abstract base classes", anywhere=r"\._abc_(impl|registry|cache|negative_cache)"),
    NoiseRule("tables of logging", "logging logging.*"),
    NoiseRule("tables of logging", anywhere=r"\.loggerDict"),
    NoiseRule("warnings already given", "warnings"),
    NoiseRule("warnings already given", anywhere=r"\.?__warningregistry__"),
    NoiseRule("codecs looked up", "encodings encodings.* codecs"),
    NoiseRule("the import system", "importlib importlib.* zipimport pkgutil _frozen_importlib"),
    NoiseRule("the import system", "_frozen_importlib_external runpy site"),
    NoiseRule("the import system", "sys", "path_importer_cache|modules|meta_path|path_hooks|path"),
    NoiseRule("the import system", anywhere="__(spec|loader|path|cached|file)__"),
    NoiseRule("caches of the standard library", "fnmatch glob struct _struct urllib.parse ipaddress", r".*"),
    NoiseRule(
        "caches of the standard library", "copyreg mimetypes locale gettext calendar socket ssl json.*"
    ),
    NoiseRule(
        "caches of the standard library", "traceback inspect ast dis tokenize pprint textwrap string difflib"
    ),
    NoiseRule(
        "caches of the standard library",
        "posixpath ntpath genericpath os stat shutil tempfile pathlib zoneinfo.*",
    ),
    NoiseRule(
        "state of the standard library",
        "random secrets uuid hashlib hmac decimal _pydecimal fractions numbers",
    ),
    NoiseRule(
        "state of the standard library", "platform sysconfig getpass zipfile subprocess signal selectors"
    ),
    NoiseRule(
        "bookkeeping of threads", "threading _threading_local _weakrefset weakref concurrent.futures.*", "_.*"
    ),
    NoiseRule("tables of asyncio", "asyncio asyncio.* _asyncio", r"_.*"),
    NoiseRule("tables of the unittest runner", "unittest unittest.*", is_bounded=True, is_runner=True),
    NoiseRule(
        TEST_RUNNER,
        "pytest _pytest _pytest.* pluggy pluggy.* pytest_asyncio.* xdist.*",
        is_bounded=True,
        is_runner=True,
    ),
    NoiseRule(TEST_RUNNER, "hypothesis hypothesis.* coverage coverage.*", is_bounded=True, is_runner=True),
    NoiseRule(
        "a library's own cache",
        "sqlalchemy.* pydantic.* jinja2.* dateutil.* babel.* numpy.* pandas.*",
        ".*cache.*",
    ),
    NoiseRule("builtins", "builtins"),
    NoiseRule(
        "resource timings of fetch, 250 at most", anywhere=r"closure `resourceTimingBuffer`", is_bounded=True
    ),
    NoiseRule("V8's own bookkeeping", anywhere=r"internal `.*`", is_bounded=True),
    NoiseRule(
        "values at hand when the snapshot was taken",
        root=r"\((Stack roots|Handle scope)\)",
        is_direct=True,
        is_bounded=True,
    ),
)


_OF_FRAMES: Final = NoiseRule(TEST_RUNNER, is_bounded=True, is_runner=True)
HELD_BY: Final = {
    ("sqlite3.Connection", "weakref.ReferenceType"): "dead cursors, which sqlite3 drops every 200",
}
"""(type of the last old object, type of the survivors): what the library itself bounds."""


def noise_rule(path: Path, is_application: Callable[[str], bool] = lambda name: False) -> NoiseRule | None:
    """The rule that this path falls under, None when it may be the program's own.

    `is_application` says of the name of a type whether it is one of the program's.
    """
    rule = _matching(path)
    if rule is None and runs_tests(path):
        rule = _OF_FRAMES
    if rule is not None and rule.is_runner and is_for_tests(path, is_application):
        return None
    return rule


def _matching(path: Path) -> NoiseRule | None:
    root, is_module = path.root.removeprefix("module "), path.root_kind == "module"
    first = path.steps[0].reference if path.steps else ""
    for rule in NOISE:
        if rule.modules:
            if is_module and _names(rule.modules).fullmatch(root) and re.fullmatch(rule.name or ".*", first):
                return rule
        elif rule.root:
            is_near = len(path.steps) == 1 or not rule.is_direct
            if not is_module and is_near and re.match(rule.root, root):
                return rule
        elif any(re.fullmatch(rule.anywhere, step.reference) for step in path.steps):
            return rule
    return None


@cache
def _names(modules: str) -> re.Pattern[str]:
    words = [re.escape(word).replace(r"\.\*", r"(\..*)?") for word in modules.split()]
    return re.compile("|".join(words))
