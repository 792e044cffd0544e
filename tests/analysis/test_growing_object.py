"""Single objects that grow: their number stands still, so the census of bytes has to tell."""

from __future__ import annotations

import time

import pytest

from drawn_leaks import reached
from heaps import heap
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.diff import Measured, diff
from leakscan.analysis.growing_object import find_growing_objects
from leakscan.analysis.results.findings import Findings, Verdict

RUNS = 20
BEFORE = """
    module app -> m -[.S]-> state -[.text]-> text1
    m: module name=app; state: app.State; text1: str size=3000
"""
REPLACED = """
    module app -> m -[.S]-> state -[.text]-> text2
    m: module name=app; state: app.State; text2: str size=43000 birth=20
"""
IN_PLACE = """
    module app -> m -[.S]-> state -[.buffer]-> buffer
    m: module name=app; state: app.State; buffer: bytearray size={size} birth=0
"""


def findings(before: str, after: str, bytes_of: dict[str, list[int]], *, runs: int = RUNS) -> Findings:
    counts = {name: [10] * len(sizes) for name, sizes in bytes_of.items()}
    measured = Measured(type_counts=counts, type_bytes=bytes_of)
    return diff(heap(before, meta={"births": True}), heap(after), runs=runs, measured=measured)


def buffer_findings(bytes_of: dict[str, list[int]]) -> Findings:
    return findings(IN_PLACE.format(size=4000), IN_PLACE.format(size=44_000), bytes_of)


def steady(start: int, step: int, *, runs: int = RUNS) -> list[int]:
    return [start + step * run for run in range(runs + 1)]


def test_a_text_that_is_added_to_in_every_run_is_a_leak():
    found = findings(BEFORE, REPLACED, {"str": steady(90_000, 2000)})
    assert found.headline == (
        "LEAK  1 str grows: in 20 runs it grew 3.00 kB -> 43.0 kB, 2.00 kB per run, and goes on, "
        "held by State.text."
    )


STATE = """
    module app -> m -[.S]-> state{n}; m: module name=app; state{n}: app.State
    state{n} -[.text]-> text{n}; text{n}: str size={size}
"""


def test_a_text_in_a_state_that_is_made_anew_each_time_is_a_leak_by_its_own_name():
    after = STATE.format(n=2, size="43000 birth=20").replace("app.State", "app.State birth=20")
    found = findings(STATE.format(n=1, size=3000), after, {"str": steady(90_000, 2000)})
    assert [leak.holder.label for leak in found.leaks if leak.growth_bytes] == ["State.text"]


def test_parts_of_a_new_object_without_names_are_told_together_as_it():
    frame = """
    module app -> m -[.S]-> s; m: module name=app; s: app.State; s -[.df]-> df{n}; df{n}: app.Frame{born}
    df{n} -[?]-> block{n}; block{n}: tuple{born}
    block{n} -[0]-> values{n}; values{n}: numpy.ndarray size={size}{born}
    block{n} -[1]-> index{n}; index{n}: numpy.ndarray size={size}{born}
    """
    before, after = frame.format(n=1, size=3000, born=""), frame.format(n=2, size=43_000, born=" birth=20")
    found = findings(before, after, {"numpy.ndarray": steady(90_000, 4000)})
    told = [(leak.holder.label, leak.growth_bytes) for leak in found.leaks if leak.growth_bytes]
    assert told == [("Frame", 80_000)]


def test_a_buffer_that_grows_in_place_is_a_leak():
    found = buffer_findings({"bytearray": steady(4000, 2000)})
    assert [(leak.holder.label, leak.growth_bytes) for leak in found.leaks] == [("State.buffer", 40_000)]


def test_a_buffer_that_grew_to_its_size_and_stopped_is_none():
    sizes = [4000 + 8000 * min(run, 5) for run in range(RUNS + 1)]
    assert (
        findings(IN_PLACE.format(size=4000), IN_PLACE.format(size=44_000), {"bytearray": sizes}).leaks == ()
    )


def test_a_table_that_doubled_once_is_none():
    sizes = [4000] * 15 + [44_000] * 6
    assert (
        findings(IN_PLACE.format(size=4000), IN_PLACE.format(size=44_000), {"bytearray": sizes}).leaks == ()
    )


def test_growth_that_slows_down_is_inconclusive():
    sizes = [4000 + 40_000 * (1 - 0.8**run) for run in range(RUNS + 1)]
    found = buffer_findings({"bytearray": [int(size) for size in sizes]})
    assert (found.verdict, found.next_command) == (Verdict.INCONCLUSIVE, "")


@pytest.mark.parametrize(("birth", "told"), [(20, []), (0, ["State.text"])])
def test_a_list_that_is_made_anew_grows_by_itself_only_with_older_entries(birth: int, told: list[str]):
    old = "\n".join(f"root -> e{at}; e{at}: app.Entry birth=0" for at in range(40)) if not birth else ""
    entries = "\n".join(f"text2 -[{at}]-> e{at}; e{at}: app.Entry birth={birth}" for at in range(40))
    before = f"{BEFORE.replace('text1: str', 'text1: list')}\n{old}"
    after = f"{REPLACED.replace('text2: str', 'text2: list')}\n{old}\n{entries}"
    found = findings(before, after, {"list": steady(90_000, 2000), "app.Entry": [0] * (RUNS + 1)})
    assert [leak.holder.label for leak in found.leaks if leak.growth_bytes] == told


EMPTIED = [4000 + 20_000 * (run % 3) for run in range(RUNS + 1)]


def test_a_buffer_that_is_emptied_now_and_then_is_none():
    assert buffer_findings({"bytearray": EMPTIED}).leaks == ()


def test_a_buffer_that_grows_beside_one_that_is_emptied_is_a_leak():
    beside = [size + 2000 * run for run, size in enumerate(EMPTIED)]
    assert buffer_findings({"bytearray": beside}).verdict is Verdict.LEAK


def test_a_buffer_that_was_emptied_once_and_is_bigger_than_ever_is_inconclusive():
    sizes = [*range(4000, 34_000, 3000), 4000, *range(4000, 49_000, 5000), 49_000]
    assert len(sizes) == RUNS + 1
    assert buffer_findings({"bytearray": sizes}).verdict is Verdict.INCONCLUSIVE


def test_bytes_that_new_objects_account_for_are_not_growth_of_an_old_one():
    after = IN_PLACE.format(size=4600) + "".join(
        f"root -> b{run}; b{run}: bytearray size=2000 birth={run};" for run in range(1, RUNS + 1)
    )
    found = findings(IN_PLACE.format(size=4000), after, {"bytearray": steady(4000, 2000)})
    assert [leak.growth_bytes for leak in found.leaks] == [0]


def test_without_a_census_nothing_is_said():
    assert findings(BEFORE, REPLACED, {}).leaks == ()


@pytest.mark.parametrize("runs", [1, 4])
def test_a_few_runs_are_too_few(runs: int):
    after = REPLACED.replace("birth=20", f"birth={runs}")
    assert findings(BEFORE, after, {"str": steady(0, 9000, runs=runs)}, runs=runs).verdict is not Verdict.LEAK


OPEN = """
    module app -> m -[.OPEN]-> open -[{{}}]-> one; m -[.TWO]-> two; m: module name=app
    open: set size={size}; one: app.One birth=0; two: app.One birth=0
"""


@pytest.mark.parametrize(("added", "verdict"), [("", Verdict.CLEAN), ("open -[{}]-> two", Verdict.LEAK)])
def test_a_set_that_was_fuller_once_keeps_its_room_and_does_not_grow(added: str, verdict: Verdict):
    found = findings(OPEN.format(size=4000), OPEN.format(size=44_000) + added, {"set": steady(4_000, 2000)})
    assert found.verdict is verdict


def grown(size_before: int, size_after: int) -> Verdict:
    drawings = (IN_PLACE.format(size=size) for size in (size_before, size_after))
    steps = {"bytearray": [size_before + (size_after - size_before) * run // RUNS for run in range(RUNS + 1)]}
    return findings(*drawings, steps).verdict


@pytest.mark.parametrize(
    ("size_before", "size_after", "verdict"),
    [
        (400, 1000, Verdict.CLEAN),
        (500, 1100, Verdict.LEAK),
        (4000, 4500, Verdict.CLEAN),
        (4000, 4520, Verdict.LEAK),
    ],
    ids=["a small one", "one of a kilobyte", "by a little", "by half a kilobyte"],
)
def test_one_object_is_told_when_it_is_large_and_grew_by_much(
    size_before: int, size_after: int, verdict: Verdict
):
    assert grown(size_before, size_after) is verdict


def many(count: int, *, others: int = 0) -> Findings:
    """So many objects that grew, of as many types, beside larger ones that did not."""
    still = "\n".join(f"root -> o{at}; o{at}: bytes size=90000 birth=0" for at in range(others))
    drawings = (
        "\n".join(f"root -> b{at}; b{at}: app.Buffer{at} size={size} birth=0" for at in range(count))
        for size in (4000, 44_000)
    )
    before, after = (
        f"module app -> m; m: module name=app; m -[.x]-> x\n{text}\n{still}" for text in drawings
    )
    for at in range(count):
        before = before.replace(f"root -> b{at};", f"x -[.b{at}]-> b{at};")
        after = after.replace(f"root -> b{at};", f"x -[.b{at}]-> b{at};")
    return findings(before, after, {f"app.Buffer{at}": steady(4000, 2000) for at in range(count)})


def test_ten_objects_that_grow_are_listed():
    assert len(many(12).leaks) == 10


def test_an_object_that_grows_is_found_among_two_thousand():
    assert len(many(1, others=1900).leaks) == 1


@pytest.mark.parametrize(("holders", "has_cut"), [(8, True), (9, False)])
def test_a_cut_of_more_than_eight_references_is_no_advice(holders: int, has_cut: bool):
    ways = "; ".join(f"m -[.h{at}]-> h{at} -[.x]-> buffer; h{at}: app.H{at}" for at in range(holders))
    drawings = (
        f"module app -> m; m: module name=app; {ways}; buffer: bytearray size={size} birth=0"
        for size in (4000, 44_000)
    )
    (leak,) = findings(*drawings, {"bytearray": steady(4000, 2000)}).leaks
    assert (leak.cut is not None) is has_cut


@pytest.mark.parametrize(
    ("late", "verdict"),
    [(4, None), (7, Verdict.INCONCLUSIVE), (20, Verdict.INCONCLUSIVE), (30, Verdict.LEAK)],
)
def test_growth_goes_on_when_a_quarter_of_it_falls_into_the_second_half(late: int, verdict: Verdict | None):
    first = [4000 + (100 - late) * 400 * run // 10 for run in range(11)]
    second = [first[-1] + late * 400 * run // 10 for run in range(1, 11)]
    found = buffer_findings({"bytearray": [*first, *second]})
    assert [leak.verdict for leak in found.leaks] == ([] if verdict is None else [verdict])


def test_many_new_buffers_in_one_old_table_are_looked_for_in_it_once():
    old = "\n".join(f"state -['{at}']-> old{at}; old{at}: bytes size=9" for at in range(5_000))
    new = "\n".join(f"state -['n{at}']-> new{at}; new{at}: bytes size=2000 birth=3" for at in range(1_500))
    graphs = [heap(text, meta={"births": True}) for text in (f"{BEFORE}\n{old}", f"{REPLACED}\n{old}\n{new}")]
    reach = reached(*graphs)
    names = SlotNames(graphs[1], reach.modules.type_tiers, reach.paths.parent_ref)
    begun = time.process_time()
    found = find_growing_objects(graphs[0], reach, names, type_bytes={"str": steady(90_000, 2000)}, runs=RUNS)
    assert [one.leak.holder.label for one in found] == ["State.text"]
    assert time.process_time() - begun < 3


EMPTY = "module app -> m -[.S]-> state; m: module name=app; state: app.State"
FILLED = f"{EMPTY}; state -[.text]-> text; text: str size=24000 birth={{}}"


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ([90_000 + 2000 * max(0, run - 8) for run in range(RUNS + 1)], ["State.text"]),
        ([90_000 + 24_000 * (run >= 9) for run in range(RUNS + 1)], []),
        ([90_000 + (run >= 1) * (24_000 - 9000 * (run % 3 == 1)) for run in range(RUNS + 1)], []),
        ([90_000 + 5000 * run for run in range(RUNS + 1)], []),
        ([90_000 + 300 * run + 18_000 * (run >= 15) for run in range(RUNS + 1)], []),
    ],
    ids=["a log", "made once", "the last answer", "others grow more", "made once beside others that grow"],
)
def test_what_grows_in_a_place_that_was_empty_before_is_told_from_what_is_put_there(
    sizes: list[int], told: list[str]
):
    found = findings(EMPTY, FILLED.format(20), {"str": sizes})
    assert [leak.holder.label for leak in found.leaks if leak.growth_bytes] == told


def test_new_texts_in_places_that_were_empty_do_not_grow_one_for_another():
    rows = "; ".join(f"list -[{n}]-> r{n}; r{n}: app.Row" for n in range(20))
    before = f"{EMPTY}; state -[.rows]-> list; list: list; {rows}"
    texts = "; ".join(f"r{n} -[.text]-> t{n}; t{n}: str size=3000 birth={n + 1}" for n in range(20))
    found = findings(before, f"{before}; {texts}", {"str": steady(90_000, 3000)})
    assert [leak for leak in found.leaks if leak.growth_bytes] == []


def test_texts_in_a_list_are_told_by_their_number_and_not_by_their_size():
    before = f"{EMPTY}; state -[.rows]-> list; list: list"
    after = f"{before}; list -[0]-> t; t: str size=24000 birth=20"
    found = findings(before, after, {"str": [90_000 + 2000 * max(0, run - 8) for run in range(RUNS + 1)]})
    assert [leak for leak in found.leaks if leak.growth_bytes] == []


def test_entries_whose_keys_are_written_alike_take_no_ones_place():
    before = f"{EMPTY}; state -[.rows]-> table; table: dict; table -[<type>]-> old; old: bytes size=300"
    new = "; ".join(f"table -[<type>]-> b{n}; b{n}: bytes size=4000 birth={n}" for n in (2, 6, 10, 14, 18))
    sizes = [90_000 + 4000 * len([n for n in (2, 6, 10, 14, 18) if n <= run]) for run in range(RUNS + 1)]
    found = findings(before, f"{before}; {new}", {"bytes": sizes})
    assert [leak for leak in found.leaks if leak.growth_bytes] == []
