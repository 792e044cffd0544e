from __future__ import annotations

import re

import pytest

from drawn_leaks import found
from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.judge.noise import NOISE, noise_rule
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


def steps_to_entry(
    *pairs: tuple[str, str], kind: str = "module", root: str = "module _pytest.config"
) -> Path:
    """References with the type each leads to; the survivor is the last one."""
    old = (Step(reference, "attribute", type_name) for reference, type_name in pairs)
    return Path(root, kind, (*old, Step("[*]", "index", "app.Entry", is_new=True)))


@pytest.mark.parametrize(
    "where",
    [
        steps_to_entry(
            ("x", "_pytest.fixtures.FixtureDef"), (".cached_result", "tuple"), ("[*]", "app.Server")
        ),
        steps_to_entry(("x", "_pytest.fixtures.FixtureDef"), (".cached_result", "tuple"), ("[*]", "list")),
        steps_to_entry(("x", "_pytest.python.Function"), (".funcargs", "dict"), ("['server']", "dict")),
        steps_to_entry(("x", "_pytest.main.Session"), (".kept", "app.Server"), (".log", "list")),
        steps_to_entry(
            ("x", "_pytest.fixtures.FixtureDef"), ("[*]", "functools.partial"), ("[*]", "app.Box")
        ),
    ],
)
def test_what_the_test_runner_holds_for_the_tests_is_theirs(where: Path):
    assert noise_rule(where, lambda name: name.startswith("app.")) is None


@pytest.mark.parametrize(
    "where",
    [
        steps_to_entry(("x", "_pytest.logging.LogCaptureHandler"), (".records", "list")),
        steps_to_entry(
            ("x", "_pytest.fixtures.FixtureDef"),
            (".cached_result", "tuple"),
            ("[*]", "_pytest.logging.LogCaptureFixture"),
            (".records", "list"),
        ),
        steps_to_entry(
            ("running frame", "<frame>"),
            ("local `item`", "_pytest.python.Function"),
            (".sections", "list"),
            kind="thread",
            root="thread 'MainThread'",
        ),
    ],
)
def test_what_the_test_runner_keeps_for_itself_is_noise_from_wherever_it_is_reached(where: Path):
    rule = noise_rule(where, lambda name: name.startswith("app."))
    assert rule is not None and rule.reason == "the test runner"


def test_a_suspended_fixture_is_not_the_test_runners():
    where = steps_to_entry(("x", "_pytest.fixtures.FixtureDef"), ("[*]", "functools.partial"))
    suspended = Step("[*]", "index", "generator", name="server", file="/srv/tests/conftest.py")
    wrapper = Step("[*]", "index", "generator", name="hook", file="/env/site-packages/_pytest/skipping.py")
    theirs, its_own = (Path(where.root, "module", (*where.steps[:-1], step)) for step in (suspended, wrapper))
    assert (noise_rule(theirs), noise_rule(its_own) is None) == (None, False)
