from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path as File

import pytest

from drawn_leaks import found
from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.judge.noise import noise_rule
from leakscan.analysis.judge.noise_rule import NoiseRule
from leakscan.analysis.judge.noise_table import NOISE
from leakscan.analysis.results.findings import Path, Step, Verdict

RE = "module re -> re; re: module name=re at=/usr/lib/python3.11/re.py:1; re -['_cache']-> cache; cache: dict"


def path(root: str, *references: str, kind: str = "module") -> Path:
    return Path(root, kind, tuple(Step(reference, "key_str", "object") for reference in references))


def test_patterns_kept_by_re_are_noise_with_a_count():
    findings = found(RE, "cache -['k#']-> p#; p#: re.Pattern birth=#")
    assert [(leak.count, leak.noise) for leak in findings.noise] == [(6, "patterns compiled and kept by re")]


def test_noise_is_no_leak():
    findings = found(RE, "cache -['k#']-> p#; p#: re.Pattern birth=#")
    assert (findings.verdict, findings.leaks) == (Verdict.CLEAN, ())


def test_noise_and_leaks_are_never_mixed():
    findings = found(
        f"{RE}; module app -> m; m: module name=app; m -['ITEMS']-> items; items: list",
        "cache -['k#']-> p#; p#: re.Pattern birth=#; items -[#]-> s#; s#: app.Session birth=#",
    )
    assert [[leak.type_name for leak in findings.leaks], [leak.type_name for leak in findings.noise]] == [
        ["app.Session"],
        ["re.Pattern"],
    ]


def test_what_grows_in_every_run_is_a_leak_even_in_a_library_that_does_not_bound_it():
    before = """
    module logging -> l; l: module name=logging; l -['Logger']-> c; c: logging.Logger
    c -[.loggerDict]-> d; d: dict
    """
    findings = found(before, "d -['n#']-> x#; x#: logging.Logger birth=#")
    assert [leak.type_name for leak in findings.leaks] == ["logging.Logger"]


def test_a_lazily_imported_module_is_noise_with_all_that_is_in_it():
    text = """
    module late -> late; late: module name=late birth=1; late -['f']-> f; f: function name=f birth=1
    late -['C']-> c; c: type name=C birth=1; c -[.method]-> f
    """
    before = "module app -> m; m: module name=app"
    findings = diff(heap(before), heap(f"{before}\n{text}"), runs=6)
    assert (findings.leaks, {leak.noise for leak in findings.noise}) == ((), {"module imported lazily"})


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (path("module linecache", "cache", "['*']"), "source lines kept for tracebacks"),
        (path("module functools", "singledispatch"), "caches of functools"),
        (path("interned strings", "key 'x'", kind="interpreter"), "names interned by the interpreter"),
        (path("interpreter state", "holds", kind="interpreter"), "the interpreter's own state"),
        (path("module _pytest.fixtures", "x"), "the test runner"),
        (path("module encodings", "_cache", "['*']"), "codecs looked up"),
        (path("module app", "X", "._abc_impl"), "registries of abstract base classes"),
        (path("module warnings", "filters"), "warnings already given"),
    ],
)
def test_known_places_are_recognised(where: Path, reason: str):
    rule = noise_rule(where)
    assert rule is not None and rule.reason == reason


@pytest.mark.parametrize(
    "where",
    [
        path("module app", "CACHE", "['*']"),
        path("module app.logging", "handlers", "[*]"),
        path("module threading", "active", "[*]"),
        path("module os", "environ", kind="thread"),
        path("atexit callbacks", "holds", "[*]", kind="interpreter"),
        path("thread 'MainThread'", "running frame", "local `seen`", kind="thread"),
    ],
)
def test_places_that_programs_fill_are_not(where: Path):
    assert noise_rule(where) is None


def test_every_rule_says_where_and_why():
    assert all(rule.reason and (rule.modules or rule.root or rule.anywhere) for rule in NOISE)


def test_every_pattern_of_the_table_compiles():
    assert all(re.compile(text) for rule in NOISE for text in (rule.name, rule.root, rule.anywhere))


PLACES = [
    ("interned strings > key 'x'", "names interned by the interpreter", False),
    ("type attribute cache > holds", "the interpreter's own state", True),
    ("C variable of libfoo.so > holds", "a variable of a C library", True),
    ("interpreter state > holds > ['*']", "the interpreter's own state", False),
    ("modules by index > [*]", "the interpreter's own state", False),
    ("module app > Base > .__subclasses__", "type machinery", True),
    ("module app > Session > .shared keys", "names of attributes, in the keys that a class shares", True),
    ("thread 'MainThread' > ['__asyncio_running_event_loop__']", "tables of asyncio", False),
    ("codec cache > ['*']", "codecs looked up", False),
    ("warnings state > holds", "warnings already given", False),
    ("importlib > holds", "the import system", False),
    ("sys.modules > ['*']", "module imported lazily", False),
    ("module re > _cache > ['*']", "patterns compiled and kept by re", True),
    ("module tokenize > _compile > ['*']", "patterns compiled and kept by re", False),
    ("module linecache > cache > ['*']", "source lines kept for tracebacks", False),
    ("module _strptime > _regex_cache > ['*']", "formats and patterns of date parsing", True),
    ("module functools > _lru_cache_wrapper", "caches of functools", False),
    ("module typing > _cleanups > [*]", "caches of typing", False),
    ("module abc > ABCMeta", "classes built by the standard library", False),
    ("module app > Base > ._abc_impl", "registries of abstract base classes", False),
    ("module logging > _handlers > ['*']", "tables of logging", False),
    ("module app > manager > .loggerDict > ['*']", "tables of logging", False),
    ("module warnings > filters > [*]", "warnings already given", False),
    ("module app > __warningregistry__ > ['*']", "warnings already given", False),
    ("module encodings > _cache > ['*']", "codecs looked up", False),
    ("module _frozen_importlib > _module_locks > ['*']", "the import system", False),
    ("module _frozen_importlib_external > _relax_case", "the import system", False),
    ("module sys > path_importer_cache > ['*']", "the import system", False),
    ("module app > __spec__", "the import system", False),
    ("module fnmatch > _compile_pattern > ['*']", "caches of the standard library", False),
    ("module copyreg > dispatch_table > ['*']", "caches of the standard library", False),
    ("module traceback > _sentinel", "caches of the standard library", False),
    ("module tempfile > _name_sequence", "caches of the standard library", False),
    ("module random > _inst", "state of the standard library", False),
    ("module subprocess > _active > [*]", "state of the standard library", False),
    ("module threading > _active > ['*']", "bookkeeping of threads", False),
    ("module asyncio.events > _event_loop_policy", "tables of asyncio", False),
    ("module unittest.signals > _results > [*]", "tables of the unittest runner", True),
    ("module _pytest.fixtures > x", "the test runner", True),
    ("module hypothesis.core > x", "the test runner", True),
    ("module sqlalchemy.util > _compiled_cache > ['*']", "a library's own cache", False),
    (
        "module celery.worker.state > successful_requests > ._data > ['*']",
        "the last tasks of a Celery worker, 1 000 done and 50 000 revoked at most",
        True,
    ),
    ("module builtins > print", "builtins", False),
    ("(GC roots) > closure `resourceTimingBuffer` > [*]", "resource timings of fetch, 250 at most", True),
    (
        "(GC roots) > closure `pendingUnhandledRejections` > [*]",
        "rejected promises, which Node looks through after each turn of its loop",
        True,
    ),
    (
        "(GC roots) > .regexp_last_match_info > [*]",
        "the last match of a regular expression, which V8 keeps for `RegExp.lastMatch`",
        True,
    ),
    ("(GC roots) > internal `map`", "V8's own bookkeeping", True),
    ("(Stack roots) > holds", "values at hand when the snapshot was taken", True),
]
"""(example, reason, whether the library bounds it): what the rows say, so that none goes unseen."""


def at(example: str) -> Path:
    root, *steps = example.split(" > ")
    kind = {"module": "module", "thread": "thread"}.get(root.partition(" ")[0], "interpreter")
    return path(root, *steps, kind=kind)


@pytest.mark.parametrize(("example", "reason", "is_bounded"), PLACES, ids=[place[0] for place in PLACES])
def test_each_place_is_known_with_its_reason_by_the_row_that_gives_it_as_an_example(
    example: str, reason: str, is_bounded: bool
):
    rule = noise_rule(at(example))
    assert rule is not None
    assert (rule.example, rule.reason, rule.is_bounded) == (example, reason, is_bounded)


def test_each_row_has_a_place_among_these_and_names_a_library_and_its_versions():
    assert {rule.example for rule in NOISE} <= {example for example, _, _ in PLACES}
    assert all(rule.library and re.search(r"\d|any", rule.versions) for rule in NOISE)


OF_THE_PROGRAM = re.compile(
    r"atexit callbacks|at-fork callbacks .*|audit hooks|gc\..*|sys\.monitoring .*|(profile|trace) function"
    r"|exception being .*|thread state dict|asynchronous exception|async generator hooks"
    r"|context of the thread|thread locals|running event loop|the callable under test"
)
"""Places of the interpreter that a program fills."""
ROOTS = (File(__file__).parents[2] / "analyzer/native/walk/roots.cpp").read_text()


@pytest.mark.parametrize(
    "label",
    sorted(
        set(re.findall(r'(?:L->\w+, |strings\.of\(|bytes\), |_bytes, |type_cache_bytes\), )"([^"]+)"', ROOTS))
    ),
)
def test_each_place_of_the_interpreter_is_noise_or_the_programs(label: str):
    is_noise = noise_rule(path(label, "holds", kind="interpreter")) is not None
    assert is_noise is not bool(OF_THE_PROGRAM.fullmatch(label))


def _places() -> list[tuple[str, str]]:
    """(module, global) of the rows about this version of Python, after their examples."""
    here = sys.version_info[:2]
    rows = [rule for rule in NOISE if rule.modules and rule.library == "CPython"]
    within = [rule for rule in rows if _first(rule.versions) <= here <= _last(rule.versions)]
    return [
        (place.root.removeprefix("module "), place.steps[0].reference)
        for place in (at(rule.example) for rule in within)
    ]


def _first(versions: str) -> tuple[int, ...]:
    return tuple(map(int, versions.partition("-")[0].split(".")))


def _last(versions: str) -> tuple[int, ...]:
    return tuple(map(int, versions.rpartition("-")[2].split(".")))


@pytest.mark.parametrize(("module", "name"), _places())
def test_the_example_of_a_row_of_the_standard_library_is_there(module: str, name: str):
    assert hasattr(importlib.import_module(module), name)


def drawn(rule: NoiseRule, *, births: tuple[int, ...]) -> tuple[str, str]:
    """A heap that is as the example says, before and after: an object for each of the births."""
    root, *steps = rule.example.split(" > ")
    head = f"{root} -> start" if root.startswith("module ") else f"interpreter {root} -> start"
    declared = f"start: module name={root.partition(' ')[2]} at=/usr/lib/python3/x.py:1"
    before = [head, declared if root.startswith("module ") else "start: dict"]
    holder = "start"
    for number, step in enumerate(steps[:-1] if len(steps) > 1 else steps):
        label = step if step[0] in ".[" else f"['{step}']"
        before.append(f"{holder} -{label if label[0] == '[' else f'[{label}]'}-> step{number}")
        before.append(f"step{number}: dict")
        holder = f"step{number}"
    after = [
        f"{holder} -['k{number}']-> new{number}; new{number}: object birth={birth}"
        for number, birth in enumerate(births)
    ]
    return "\n".join(before), "\n".join(after)


MODULES = [rule for rule in NOISE if rule.modules and not rule.is_runner]


@pytest.mark.parametrize("rule", MODULES, ids=[rule.example for rule in MODULES])
def test_what_a_library_keeps_of_the_first_runs_is_noise_with_the_reason_of_its_row(rule: NoiseRule):
    before, after = drawn(rule, births=(1, 1, 2))
    findings = diff(heap(before, meta={"births": True}), heap(f"{before}\n{after}"), runs=20)
    assert ({leak.noise for leak in findings.noise}, findings.leaks) == ({rule.reason}, ())


@pytest.mark.parametrize("rule", MODULES, ids=[rule.example for rule in MODULES])
def test_what_grows_in_every_run_is_a_leak_unless_the_row_says_that_the_library_bounds_it(rule: NoiseRule):
    before, after = drawn(rule, births=tuple(range(1, 21)))
    findings = diff(heap(before, meta={"births": True}), heap(f"{before}\n{after}"), runs=20)
    assert (findings.verdict is Verdict.LEAK) is not rule.is_bounded


def test_dead_cursors_that_sqlite_drops_now_and_then_are_noise():
    findings = found(
        """
        module app -> m; m: module name=app; m -['DB']-> db; db: sqlite3.Connection
        db -[.cursors]-> c; c: list
        """,
        "c -[#]-> r#; r#: weakref.ReferenceType birth=#",
    )
    assert {leak.noise for leak in findings.noise} == {"dead cursors, which sqlite3 drops every 200"}


def test_calls_that_a_mock_remembers_are_a_leak_of_the_test():
    before = """
    thread MainThread -> f; f: <frame> name=test_it at=tests/test_it.py:9 flags=synthetic
    f -[local client]-> mock; mock: unittest.mock.Mock; mock -[._mock_call_args_list]-> calls; calls: list
    """
    grown = "calls -[#]-> c#; c#: unittest.mock._Call birth=#; c# -[0]-> s#; s#: app.Session birth=# size=90"
    assert [leak.type_name for leak in found(before, grown).leaks] == ["app.Session"]


def test_patches_that_nobody_stops_are_a_leak():
    before = "module unittest.mock -> m; m: module name=unittest.mock; m -['_patch']-> p; p: type"
    grown = "active -[#]-> a#; a#: unittest.mock._patch size=90 birth=#"
    assert found(f"{before}; p -[._active_patches]-> active; active: list", grown).verdict is Verdict.LEAK
