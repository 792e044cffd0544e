"""Objects of one class in a buffer and in the place where they stay: the judge sees both as one way."""

from __future__ import annotations

import pytest

from drawn_leaks import told
from heaps import heap
from leakscan.analysis.judge.emptied import emptied_in_step
from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.results.findings import Verdict

RUNS = 20
WRITER = """
    module app -> m; m: module name=app; m -['W']-> w; w: app.Writer
    w -[.buffer]-> buffer; buffer: list; w -[.archive]-> archive; archive: list
"""
GROWS = tuple(range(RUNS + 1))
"""The census when nothing goes."""
WITH_A_RING = (3, 4, *(5,) * (RUNS - 1))


def lie(place: str, runs: range) -> str:
    return "\n".join(f"{place} -[{run}]-> s{run}; s{run}: app.Session birth={run}" for run in runs)


def judgements(
    archived: range, buffered: range, counts: tuple[int, ...], *, before: str = "", kept: str = ""
) -> dict[str, Judgement]:
    drawings = (
        f"{WRITER}\n{before}",
        "\n".join((WRITER, kept, lie("archive", archived), lie("buffer", buffered))),
    )
    graphs = [heap(text, meta={"births": True}) for text in drawings]
    judged = told(*graphs, runs=counts and len(counts) - 1, type_counts={"app.Session": counts}).judged
    return {one.slot.pattern: next(iter(one.judgement.by_type.values())) for one in judged}


def verdicts(*args: object, **more: str) -> dict[str, Verdict]:
    return {pattern: one.verdict for pattern, one in judgements(*args, **more).items()}


ARCHIVE, BUFFER = "Writer.archive[*]", "Writer.buffer[*]"


def test_what_a_buffer_moves_on_is_a_leak_where_it_stays_and_none_in_the_buffer():
    found = judgements(range(1, 14), range(14, 21), GROWS)
    assert (found[ARCHIVE].verdict, found[ARCHIVE].rate) == (Verdict.LEAK, 1.0)
    assert found[BUFFER].verdict is Verdict.BOUNDED


def test_the_first_may_have_been_moved_with_what_was_there_before():
    batch = "archive -[90]-> batch; batch: dict"
    found = verdicts(
        range(3, 14), range(14, 21), GROWS, before=batch, kept=f"{batch}\n{lie('batch', range(1, 3))}"
    )
    assert (found[ARCHIVE], found[BUFFER]) == (Verdict.LEAK, Verdict.BOUNDED)


def test_what_came_late_is_no_stage():
    assert verdicts(range(6, 14), range(14, 21), GROWS)[ARCHIVE] is not Verdict.LEAK


def test_a_pool_and_a_ring_of_the_same_class_are_not_told_from_stages_in_few_runs():
    assert verdicts(range(1, 14), range(14, 21), WITH_A_RING)[ARCHIVE] is Verdict.INCONCLUSIVE


def test_after_forty_runs_no_pool_is_full_just_when_the_ring_begins():
    counts = (3, 4, *(5,) * 39)
    assert verdicts(range(1, 34), range(34, 41), counts)[ARCHIVE] is Verdict.LEAK


def test_what_is_kept_beside_a_gap_is_a_pool_that_stopped():
    assert verdicts(range(1, 10), range(14, 21), GROWS)[ARCHIVE] is Verdict.BOUNDED


def test_what_lets_go_of_its_first_entries_is_not_where_anything_stays():
    before = "archive -[90]-> old; old: app.Session"
    assert verdicts(range(1, 14), range(14, 21), GROWS, before=before)[ARCHIVE] is Verdict.BOUNDED


def test_more_on_the_way_than_has_arrived_decides_nothing():
    assert verdicts(range(1, 8), range(8, 21), GROWS)[ARCHIVE] is not Verdict.LEAK


def test_two_stages_that_are_dropped_in_step_are_bounded():
    # A buffer of eight, and the last batch that was written away.
    counts = (3, 4, 5, 6, 7, *(8, 9, 10, 11, 12, 13, 14, 15) * 4, 8, 9, 10, 11)
    found = verdicts(range(30, 38), range(38, 41), counts)
    assert found == {ARCHIVE: Verdict.BOUNDED, BUFFER: Verdict.BOUNDED}


EVERY_FIFTH = range(3, 21, 5)


def test_what_lies_in_several_places_and_goes_from_none_is_told_in_the_fullest():
    batch = "archive -[90]-> batch; batch: dict"
    counts = (0, 0, 0, *(1,) * 5, *(2,) * 5, *(3,) * 5, 4, 4, 4)
    first = f"{batch}\n{lie('batch', EVERY_FIFTH[:1])}"
    found = judgements(EVERY_FIFTH[1:3], EVERY_FIFTH[3:], counts, before=batch, kept=first)
    assert (found[ARCHIVE].verdict, found[ARCHIVE].rate) == (Verdict.LEAK, 0.2)
    some_went = tuple(count + (run < 9) for run, count in enumerate(counts))
    found = judgements(EVERY_FIFTH[1:3], EVERY_FIFTH[3:], some_went, before=batch, kept=first)
    assert found[ARCHIVE].verdict is Verdict.INCONCLUSIVE


def test_a_list_that_is_made_anew_with_each_batch_keeps_what_was_moved_to_it():
    old = "buffer -[91]-> a; a: app.Session; buffer -[92]-> b; b: app.Session"
    for runs, split, verdict in ((20, 14, Verdict.LEAK), (12, 7, Verdict.INCONCLUSIVE)):
        grown = "\n".join((lie("archive", range(1, split)), lie("buffer", range(split, runs + 1))))
        moved = "archive -[91]-> a; a: app.Session; archive -[92]-> b; b: app.Session"
        after = WRITER.replace("archive: list", f"archive: list birth={split - 1}")
        graphs = [
            heap(text, meta={"births": True}) for text in (f"{WRITER}\n{old}", f"{after}\n{moved}\n{grown}")
        ]
        counts = {"app.Session": tuple(range(2, runs + 3))}
        judged = told(*graphs, runs=runs, type_counts=counts).judged
        found = {one.slot.pattern: one.judgement.by_type for one in judged}
        (row,) = found[BUFFER]
        assert (found["Writer.archive"][row].verdict, found[BUFFER][row].verdict) == (
            verdict,
            Verdict.BOUNDED,
        )


def test_where_one_place_is_a_leak_by_itself_no_other_is_told_for_it():
    beside = "\n".join(f"buffer -[{run}]-> t{run}; t{run}: app.Session birth={run}" for run in GROWS[1:])
    found = judgements(range(1, 21), range(0), tuple(2 * count for count in GROWS), kept=beside)
    assert (found[ARCHIVE].rate, found[BUFFER].rate) == (1.0, 1.0)


def test_places_that_all_let_go_of_something_are_not_told_for_another():
    batch = "archive -[90]-> batch; batch: dict"
    went = "batch -[92]-> a; a: app.Other; archive -[93]-> b; b: app.Other; buffer -[91]-> c; c: app.Other"
    counts = (0, 0, 0, *(1,) * 5, *(2,) * 5, *(3,) * 5, 4, 4, 4)
    found = judgements(
        EVERY_FIFTH[1:3],
        EVERY_FIFTH[3:],
        counts,
        before=f"{batch}; {went}",
        kept=f"{batch}\n{lie('batch', EVERY_FIFTH[:1])}",
    )
    assert found[ARCHIVE].verdict is Verdict.INCONCLUSIVE


def test_four_runs_are_too_few_to_tell_what_stays_somewhere():
    found = judgements(range(1, 3), range(3, 5), GROWS[:5])
    assert {one.reason for one in found.values()} & {"stays"} == set()


def test_of_what_is_emptied_in_step_the_last_five_times_are_listed():
    births = (0,) * 28 + (1, 1)
    counts = (0, *(1, 2, 3, 0) * 7, 1, 2)
    judgement = emptied_in_step(History(births, counts))
    assert judgement is not None
    assert "in runs 12, 16, 20, 24 and 28" in judgement.evidence


@pytest.mark.parametrize(
    ("level_since", "archived", "verdict"),
    [
        (11, range(16, 18), Verdict.BOUNDED),
        (12, range(16, 18), Verdict.INCONCLUSIVE),
        (11, range(10, 12), Verdict.INCONCLUSIVE),
    ],
    ids=["for ten runs", "for nine", "one is older"],
)
def test_what_two_places_keep_of_the_last_runs_is_bounded_when_their_number_stands_still(
    level_since: int, archived: range, verdict: Verdict
):
    counts = tuple(5 if run >= level_since - 1 else run // 3 for run in range(RUNS + 1))
    assert verdicts(archived, range(18, 21), counts)[ARCHIVE] is verdict
