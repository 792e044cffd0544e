"""What a library, the interpreter or an engine fills by itself is noise; the same of the program is not."""

from __future__ import annotations

import pytest

from drawn_leaks import each_run, found
from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Findings, Verdict

RUNS = 20
UNEVEN = (2, 0, 1, 3, 0, 1, 1, 2, 0, 3, 1, 0, 2, 1, 2, 0, 1, 3, 1, 2)
"""Births of a leak without a regular pace."""


def reasons(findings: Findings) -> set[str]:
    return {leak.noise for leak in findings.noise}


def cache_of(module: str, file: str) -> str:
    return f"""
    module {module} -> m; m: module name={module} at={file}:1; m -['quote']-> wrapper -[slot cache]-> cache
    wrapper: functools._lru_cache_wrapper bound=128; cache: dict
    """


INSTALLED = cache_of("pricelib", "/usr/lib/python3/site-packages/pricelib.py")
FILLED = "cache -['k#']-> v#; v#: list size=80 birth=#"


def test_a_cache_of_the_program_that_fills_is_told_as_filling():
    findings = found(cache_of("app", "/srv/app.py"), FILLED, runs=RUNS)
    assert (findings.verdict, reasons(findings)) == (Verdict.FILLING, set())


def test_a_cache_of_a_library_that_fills_with_its_own_is_noise():
    findings = found(INSTALLED, FILLED, runs=RUNS)
    assert (findings.verdict, reasons(findings)) == (Verdict.CLEAN, {"a library's own cache"})


def test_a_cache_of_a_library_that_fills_with_objects_of_the_program_is_the_programs():
    program = "module app -> a; a: module name=app at=/srv/app.py:1"
    findings = found(f"{INSTALLED}; {program}", FILLED.replace(": list", ": app.Price"), runs=RUNS)
    assert (findings.verdict, reasons(findings)) == (Verdict.FILLING, set())


def test_one_object_of_the_program_among_many_makes_a_librarys_cache_the_programs():
    before = f"{INSTALLED}; module app -> a; a: module name=app at=/srv/app.py:1".replace("128", "512")
    entries = [f"cache -['{n}']-> v{n}; v{n}: list birth={n // 10 + 1}" for n in range(179)]
    own = "cache -['own']-> price; price: app.Price birth=18"
    cache, with_own = (
        diff(heap(before, meta={"births": True}), heap("\n".join((before, *entries, *more))), runs=18)
        for more in ((), (own,))
    )
    assert (reasons(cache), reasons(with_own)) == ({"a library's own cache"}, set())


LOOP = """
root -> loop; loop: asyncio.unix_events._UnixSelectorEventLoop; loop -[._scheduled]-> heap; heap: list
none: NoneType; root -> none
"""
TIMER = "heap -[#]-> t#; t#: asyncio.events.TimerHandle birth=#; t# -[._callback]-> "


def test_timers_that_are_cancelled_wait_to_be_cleared_away():
    findings = found(LOOP, f"{TIMER} none", runs=RUNS)
    assert (findings.leaks, reasons(findings)) == (
        (),
        {"timers that are cancelled, which asyncio clears away in bulk"},
    )


def test_timers_that_will_be_called_are_a_leak():
    findings = found(LOOP, f"{TIMER} f#; f#: function birth=#", runs=RUNS)
    assert (findings.verdict, reasons(findings)) == (Verdict.LEAK, set())


@pytest.mark.parametrize("place", ["importlib", "sys.modules"])
def test_an_import_without_end_is_undecided_unless_its_pace_is_regular(place: str):
    before = f"interpreter {place} -> table; table: dict"
    entries = [
        f"table -['{run} {n}']-> x{run}_{n}; x{run}_{n}: object birth={run}"
        for run, count in enumerate(UNEVEN, 1)
        for n in range(count)
    ]
    uneven = diff(heap(before, meta={"births": True}), heap("\n".join([before, *entries])), runs=RUNS)
    regular = found(before, "table -['#']-> x#; x#: object birth=#", runs=RUNS)
    assert (uneven.verdict, regular.verdict) == (Verdict.INCONCLUSIVE, Verdict.LEAK)


def v8(before: str, grown: str) -> Findings:
    drawings = (before, f"{before}\n{each_run(grown, RUNS)}")
    return diff(*(heap(text, runtime="v8", meta={"births": True}) for text in drawings), runs=RUNS)


APP = "module app -> m; m: module name=app; m -['S']-> s; s: app.State; s -[.list]-> list; list: list"
POINTS = "\n".join((APP, *(f"list -[{n}]-> p{n}; p{n}: app.Point" for n in range(1, RUNS + 1))))


def test_numbers_of_v8_are_noise_in_fields_and_a_leak_in_a_list():
    fields = v8(POINTS, "p# -[.x]-> n#; n#: (number) birth=#")
    entries = v8(POINTS, "list -[1#]-> n#; n#: (number) birth=#")
    assert reasons(fields) == {"numbers, each in a place that has room for one"}
    assert (entries.verdict, reasons(entries)) == (Verdict.LEAK, set())


def test_registrations_of_v8_go_with_what_they_watch():
    findings = v8(APP, "list -[#]-> w#; w#: 'system / WeakCell' birth=#")
    assert reasons(findings) == {"registrations, which go with what they watch"}


def test_a_static_type_of_an_extension_that_was_imported_late_is_noise():
    findings = found("root -> o", "static decimal.Decimal# -> t#; t#: type name=D# birth=#", runs=RUNS)
    assert reasons(findings) == {"type of an extension module imported lazily"}


WATCHED = (
    f"{APP}; s -[.refs]-> refs; refs: list; list -[0]-> keep; keep: app.Live; m -['cb']-> cb; cb: function"
)
CALLED_BACK = "w# -[slot __callback__]-> cb"


@pytest.mark.parametrize(
    ("target", "callback", "leaking"),
    [
        ("l#", CALLED_BACK, {"app.Live"}),
        ("keep", CALLED_BACK, {"app.Ref"}),
        ("l#", "", {"app.Live", "app.Ref"}),
    ],
    ids=["struck off with what it refers to", "of what lives for ever", "without a callback"],
)
def test_weak_references_go_with_what_they_refer_to(target: str, callback: str, leaking: set[str]):
    live = "list -[1#]-> l#; l#: app.Live birth=#;" if target == "l#" else ""
    grown = f"{live} refs -[#]-> w#; w#: app.Ref birth=#; w# -[~]-> {target}; {callback}"
    assert {leak.type_name for leak in found(WATCHED, grown, runs=RUNS).leaks} == leaking


@pytest.mark.parametrize(
    ("live", "accused"),
    [("", "State.refs"), ("list -[1#]-> l#;", "State.list")],
    ids=["which nothing else keeps", "which lives as well"],
)
def test_a_weak_reference_whose_callback_leads_to_what_it_refers_to_keeps_it(live: str, accused: str):
    grown = (
        f"{live} refs -[#]-> w#; w#: weakref.ReferenceType birth=#; w# -[~]-> l#; l#: app.Live birth=#; "
        "w# -[slot __callback__]-> f#; f#: function birth=#; f# -[slot __defaults__]-> d# -[0]-> l#; "
        "d#: tuple birth=#"
    )
    (leak,) = found(WATCHED, grown, runs=RUNS).leaks
    assert (leak.type_name, leak.holder.label) == ("app.Live", accused)


@pytest.mark.parametrize(
    ("kind", "count", "noise"),
    [("str", "immortal", True), ("list", "immortal", False), ("str", "+1", False)],
)
def test_only_immortal_strings_held_from_c_are_interned_for_ever(kind: str, count: str, noise: bool):
    findings = found("root -> o", f"k#: {kind} refcount={count} birth=#", runs=RUNS)
    assert reasons(findings) == ({"strings interned for ever by this version of Python"} if noise else set())


@pytest.mark.parametrize(
    ("file", "verdict"),
    [("/venv/site-packages/_pytest/warnings.py", Verdict.CLEAN), ("/srv/app/main.py", Verdict.LEAK)],
)
def test_warnings_that_a_test_runner_collects_to_show_them_are_its_own(file: str, verdict: Verdict):
    stack = " ".join(f"f{at} -[frame f_back]-> f{at + 1}; f{at}: <frame>;" for at in range(25))
    before = f"""
    module warnings -> w -['log']-> log; w: module name=warnings at=/usr/lib/python3/warnings.py:1; log: list
    thread MainThread -> f0; {stack} f25: <frame> at={file}:9; f25 -[local log]-> log
    """
    assert found(before, "log -[#]-> m#; m#: warnings.WarningMessage birth=#", runs=RUNS).verdict is verdict
