"""The verdict on a slot: the worst of what it keeps alive, without what says nothing about it."""

from __future__ import annotations

import pytest

from drawn_leaks import told
from heaps import DrawnHeap, heap
from leakscan.analysis.results.findings import Verdict

RUNS = 20
APP = "module app -> m; m: module name=app; m -['S']-> s; s: app.State; s -[.list]-> list; list: list"


def verdicts(grown: str, *, before: str = APP, runtime: str = "cpython") -> dict[str, Verdict]:
    drawings = (before, f"{before}\n{grown}")
    graphs = [heap(text, runtime=runtime, meta={"births": True}) for text in drawings]
    return {one.slot.pattern: one.judgement.verdict for one in told(*graphs, runs=RUNS).judged}


def entries(kind: str, *births: int) -> str:
    return "\n".join(
        f"list -['{kind} {n}']-> {kind[-1]}{n}; {kind[-1]}{n}: {kind} birth={birth}"
        for n, birth in enumerate(births)
    )


WARM_UP = entries("app.Table", *(1,) * 21)


@pytest.mark.parametrize(
    ("kind", "births", "verdict"),
    [
        ("bytes", (5, 14), Verdict.WARM_UP),
        ("bytes", (5, 9, 14), Verdict.INCONCLUSIVE),
        ("app.Session", (5, 14), Verdict.INCONCLUSIVE),
    ],
    ids=["less than a tenth", "a tenth", "a class with a name"],
)
def test_builtins_that_are_undecided_matter_from_a_tenth_of_a_slot_on(
    kind: str, births: tuple[int, ...], verdict: Verdict
):
    assert verdicts(f"{WARM_UP}\n{entries(kind, *births)}") == {"State.list[*]": verdict}


def test_what_the_last_run_left_in_place_of_nothing_is_told():
    assert verdicts("s -[.last]-> r; r: app.Result birth=20") == {"State.last": Verdict.BOUNDED}


def test_what_the_last_run_left_in_place_of_an_older_one_is_not():
    older = f"{APP}; s -[.first]-> old; old: app.Result"
    after = f"{APP}\ns -[.last]-> r; r: app.Result birth=20"
    graphs = [heap(older, meta={"births": True}), heap(after)]
    (judged,) = told(*graphs, runs=RUNS).judged
    assert judged.judgement.verdict is Verdict.CLEAN


PARSER = f"{APP}; s -[.tree]-> tree; tree: xml.Element"
CHILDREN = "; ".join(f"tree -[?]-> old{n}; old{n}: xml.Element" for n in range(3))


def test_what_a_c_type_holds_without_names_can_be_any_number():
    new = "\n".join(f"tree -[?]-> e{n}; e{n}: xml.Element birth={n}" for n in range(1, RUNS + 1))
    assert verdicts(new, before=f"{PARSER}; {CHILDREN}") == {"State.tree<unnamed>": Verdict.LEAK}


def test_one_for_each_that_went_is_no_leak_without_names_either():
    graphs = [
        heap(f"{PARSER}; {old}", meta={"births": True})
        for old in (
            CHILDREN,
            "; ".join(f"tree -[?]-> e{n}; e{n}: xml.Element birth={n}" for n in (7, 13, 20)),
        )
    ]
    (judged,) = told(*graphs, runs=RUNS).judged
    assert judged.judgement.verdict is Verdict.BOUNDED


def test_a_field_without_a_name_has_room_for_one():
    assert verdicts("tree -[?]-> e; e: xml.Element birth=20", before=PARSER) == {
        "State.tree<unnamed>": Verdict.BOUNDED
    }


BIRTHS = tuple(enumerate((5, 9, 14)))
POINTS = "\n".join(f"list -[{n}]-> p{n}; p{n}: app.Point birth=1" for n in range(3))


def test_a_number_of_v8_that_a_field_was_given_anew_says_nothing():
    fields = "\n".join(f"p{n} -[.x]-> n{n}; n{n}: (number) birth={birth}" for n, birth in BIRTHS)
    assert verdicts(f"{POINTS}\n{fields}", runtime="v8") == {"State.list[*]": Verdict.BOUNDED}


def test_a_number_of_v8_that_is_an_entry_is_judged_as_any_other():
    numbers = "\n".join(f"list -[{n}]-> n{n}; n{n}: (number) birth={birth}" for n, birth in BIRTHS)
    assert verdicts(numbers, runtime="v8") == {"State.list[*]": Verdict.INCONCLUSIVE}


TIMERS = """
root -> fn -[internal context]-> scope -[closure timerListMap]-> map -[element [1000]]-> ring
fn: function name=setTimeout; scope: 'system / Context'; map: Object; ring: TimersList
"""
OLD = "ring -[._idleNext]-> old1 -[._idleNext]-> old2; old1: Timeout; old2: Timeout"
NEW = "ring -[._idleNext]-> new1 -[._idleNext]-> new2; new1: Timeout birth=19; new2: Timeout birth=20"


def in_timers(*births: int) -> Verdict:
    """Two timers in place of two older ones, one of which holds what these runs left."""
    held = [f"new2 -[.a{n}]-> x{n}; x{n}: app.Cached birth={birth}" for n, birth in enumerate(births)]
    before, after = f"{TIMERS}; {OLD}", "\n".join((TIMERS, NEW, *held))
    graphs = [heap(text, runtime="v8", meta={"births": True}) for text in (before, after)]
    (judged,) = told(*graphs, runs=RUNS).judged
    assert judged.slot.pattern == "Node's timers[*]"
    return judged.judgement.verdict


def test_what_a_few_runs_left_in_a_timer_of_node_says_nothing_about_its_timers():
    assert in_timers(5, 9, 14) is Verdict.BOUNDED


def test_what_each_run_left_in_a_timer_of_node_is_a_leak():
    assert in_timers(*range(1, 21)) is Verdict.LEAK


def test_the_bound_of_many_bounded_containers_is_that_of_all_of_them():
    sessions = "\n".join(
        f"list -[{n}]-> s{n}; s{n}: app.Session; s{n} -[.last]-> d{n}; d{n}: collections.deque bound=10"
        for n in range(1000)
    )
    half_full = "\n".join(
        f"d{n} -[{at}]-> c{n}_{at}; c{n}_{at}: app.Chunk birth={(n + at) % RUNS + 1}"
        for n in range(1000)
        for at in range(5)
    )
    found = verdicts(half_full, before=f"{APP}\n{sessions}")
    assert found == {"Session.last[*]": Verdict.FILLING}


@pytest.mark.parametrize(
    ("births", "still", "verdict"),
    [
        ((20, 19, 18), True, Verdict.BOUNDED),
        ((20, 19, 18), False, Verdict.INCONCLUSIVE),
        ((20, 19, 17), True, Verdict.INCONCLUSIVE),
    ],
    ids=["in step", "more and more links", "one is older than the links"],
)
def test_what_hangs_on_the_links_of_a_chain_goes_with_them(
    births: tuple[int, ...], still: bool, verdict: Verdict
):
    head = f"{APP}; s -[.head]-> l0; l0: app.Link"
    links = " -[.prev]-> ".join(f"l{n}" for n in range(4))
    chain = "; ".join(f"l{n}: app.Link birth={21 - n}; l{n} -[.at]-> f{n}; f{n}: float" for n in range(1, 4))
    dated = "; ".join(f"f{n}: float birth={birth}" for n, birth in enumerate(births, start=1))
    before = f"{head}; l0 -[.prev]-> old; old: app.Link"
    after = f"{head}; {links}; {chain}; {dated}"
    counts = {"app.Link": [4] * 21 if still else [1] * 18 + [2, 3, 4]}
    graphs = [heap(text, meta={"births": True}) for text in (before, after)]
    found = {one.slot.pattern: one for one in told(*graphs, runs=RUNS, type_counts=counts).judged}
    assert found["Link.prev"].judgement.verdict is verdict


def test_what_a_few_runs_left_on_links_that_pile_up_is_judged_by_itself():
    links = " -[.prev]-> ".join(f"l{n}" for n in range(RUNS + 1))
    dated = "; ".join(f"l{n}: app.Link birth={RUNS + 1 - n}" for n in range(1, RUNS + 1))
    floats = "; ".join(f"l{n} -[.at]-> f{n}; f{n}: float birth={RUNS + 1 - n}" for n in (7, 12, 16))
    before = f"{APP}; s -[.head]-> l0; l0: app.Link"
    graphs = [heap(text, meta={"births": True}) for text in (before, f"{before}; {links}; {dated}; {floats}")]
    (judged,) = told(*graphs, runs=RUNS).judged
    names = graphs[1].type_names
    found = {names[row]: one.verdict for row, one in judged.judgement.by_type.items()}
    assert found == {"app.Link": Verdict.LEAK, "float": Verdict.INCONCLUSIVE}


def test_entries_are_no_links_of_a_chain():
    links = "; ".join(
        f"list -[{n}]-> l{n}; l{n}: app.Link birth={n}; l{n} -[.at]-> f{n}; f{n}: float birth={n}"
        for n in (18, 19, 20)
    )
    others = "; ".join(f"list -[{n + 100}]-> o{n}; o{n}: app.Other birth={n}" for n in range(1, RUNS + 1))
    graphs = [heap(text, meta={"births": True}) for text in (APP, f"{APP}; {links}; {others}")]
    (judged,) = told(*graphs, runs=RUNS, type_counts={"app.Link": [3] * 21}).judged
    names = graphs[1].type_names
    found = {names[row]: one.verdict for row, one in judged.judgement.by_type.items()}
    assert found == {
        "app.Link": Verdict.BOUNDED,
        "app.Other": Verdict.LEAK,
        "float": Verdict.INCONCLUSIVE,
    }


def placed(places: int, filled: int, *, appended: int, vacant: str) -> DrawnHeap:
    rows = [f"list -[{at}]-> nothing" for at in range(max(0, filled - appended), places)]
    for run in range(1, filled + 1):
        at = run - 1 if run > appended else places + run
        rows.append(f"list -[{at}]-> c{run}; c{run}: app.Chunk birth={run}")
    return heap("\n".join((APP, f"nothing: {vacant}", *rows)), meta={"births": True})


def in_places(places: int, *, appended: int = 0, vacant: str = "NoneType") -> str:
    """A list that was made with `places` places: one is filled in each run, or one put behind them."""
    before, after = (placed(places, filled, appended=appended, vacant=vacant) for filled in (0, RUNS))
    (judged,) = (one for one in told(before, after, runs=RUNS).judged if one.slot.pattern == "State.list[*]")
    return judged.judgement.by_type[after.type_names.index("app.Chunk")].evidence


def test_a_list_that_was_made_with_its_places_fills_up_to_them():
    assert in_places(64) == "20 of 64 filled, 1 per run: full after 44 more runs"
    assert in_places(20) == "bound 20 visible, full"


def test_what_is_put_behind_the_places_of_a_list_knows_no_bound():
    assert in_places(64, appended=RUNS) == "1 per run, every run"


def test_places_are_vacant_where_they_all_hold_the_same():
    assert in_places(64, vacant="app.Empty").startswith("20 of 64 filled")


def test_tables_of_places_that_are_taken_in_hand_one_by_one_have_no_bound_yet():
    rows = "\n".join(f"list -[{n}]-> row{n}; row{n}: list" for n in range(4)) + "\nnone: NoneType\n"
    before = f"{APP}\n{rows}" + "\n".join(f"row{n} -[{at}]-> none" for n in range(4) for at in range(8))
    after = f"{APP}\n{rows}" + "\n".join(
        f"row{n} -[{at}]-> c{n}_{at}; c{n}_{at}: app.Chunk birth={8 * n + at + 1}"
        if 8 * n + at < RUNS
        else f"row{n} -[{at}]-> none"
        for n in range(4)
        for at in range(8)
    )
    graphs = [heap(text, meta={"births": True}) for text in (before, after)]
    found = {one.slot.pattern: one.judgement.verdict for one in told(*graphs, runs=RUNS).judged}
    assert found == {"State.list[*][*]": Verdict.INCONCLUSIVE}
