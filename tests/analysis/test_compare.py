"""Two findings, leak by leak: gone, smaller, same, larger, new, and what cannot be told yet."""

from __future__ import annotations

from dataclasses import replace

import pytest

import findings_samples as samples
from leakscan.analysis.compare import Change, Outcome, compare
from leakscan.analysis.results.findings import Findings, Leak, Verdict

LEAK = samples.MODEL_OUTPUT
BASELINE = replace(samples.TWO_HOLDERS, leaks=(LEAK,), noise=())


def candidate(*leaks: Leak, runs: int = 20) -> Findings:
    verdict = Verdict.LEAK if leaks else Verdict.CLEAN
    return replace(BASELINE, leaks=leaks, verdict=verdict, runs=runs)


def changes(after: Findings, before: Findings = BASELINE) -> list[Change]:
    return [row.change for row in compare(before, after).changes]


def test_a_leak_that_is_gone_is_a_fix():
    found = compare(BASELINE, candidate())
    assert (found.outcome, found.is_fixed, found.is_no_worse) == (Outcome.FIXED, True, True)


def test_the_same_rate_is_the_same_leak():
    found = compare(BASELINE, candidate(LEAK))
    assert (found.outcome, found.is_fixed, found.is_no_worse) == (Outcome.NOT_FIXED, False, True)


def test_a_new_leak_is_worse():
    found = compare(BASELINE, candidate(LEAK, samples.SPANS))
    assert (found.outcome, found.is_no_worse) == (Outcome.WORSE, False)


def test_rates_are_compared_and_not_counts():
    longer = replace(LEAK, count=40, births=(1,) * 40)
    assert changes(candidate(longer, runs=40)) == [Change.SAME]


def test_half_the_rate_is_smaller_and_double_is_larger():
    assert changes(candidate(replace(LEAK, rate=0.5, every_run=False))) == [Change.SMALLER]
    assert changes(candidate(replace(LEAK, rate=2.0))) == [Change.LARGER]


def test_two_exact_rates_differ_however_close_they_are():
    fifty = replace(BASELINE, leaks=(replace(LEAK, rate=50.0),))
    assert changes(candidate(replace(LEAK, rate=51.0)), fifty) == [Change.LARGER]


def test_estimated_rates_within_a_tenth_are_the_same():
    about = replace(LEAK, rate=50.0, every_run=False)
    assert changes(candidate(replace(about, rate=52.0)), replace(BASELINE, leaks=(about,))) == [Change.SAME]


def test_a_rare_leak_is_not_called_gone_after_a_few_runs():
    rare = replace(BASELINE, leaks=(samples.EVERY_FIFTH,))
    found = compare(rare, candidate(runs=5))
    assert [(row.change, row.evidence) for row in found.changes] == [
        (Change.UNPROVED, "none in 5 runs, but it takes 16 to show")
    ]
    assert (found.is_fixed, found.is_no_worse) == (False, False)


def test_a_leak_whose_path_is_written_differently_is_matched_by_type_and_holder():
    found = compare(BASELINE, candidate(replace(LEAK, signature="00000000")))
    assert [(row.change, row.matched_by) for row in found.changes] == [(Change.SAME, "type and holder")]


def test_half_a_fix_is_the_same_leak_held_by_what_is_left():
    holder = replace(samples.MODEL_OUTPUT.holder, label="Emitter.handlers['chunk']")
    rest = replace(LEAK, signature="00000000", path=samples.LISTENER_PATH, also_held_by=(), holder=holder)
    found = compare(BASELINE, candidate(rest))
    assert [(row.change, row.matched_by, row.evidence.partition("; ")[2]) for row in found.changes] == [
        (
            Change.SAME,
            "another of its holders",
            "Workflow._runs let go of it, Emitter.handlers['chunk'] still holds it",
        )
    ]


def test_warm_ups_and_bounded_growth_are_not_compared():
    assert changes(candidate(samples.CACHE)) == [Change.GONE]


def test_an_inconclusive_candidate_is_no_pass():
    assert not compare(BASELINE, samples.INCONCLUSIVE).is_fixed


def test_what_differs_between_the_captures_is_said():
    other = replace(candidate(), runtime="cpython 3.13.0")
    assert compare(BASELINE, other).notes == ("runtime differs: cpython 3.11.7 before, cpython 3.13.0 after",)


def test_one_object_that_grows_is_compared_by_its_bytes():
    text = replace(LEAK, count=1, rate=0.0, growth_bytes=40_000, exclusive_bytes=40_000)
    grows = replace(BASELINE, leaks=(text,))
    slower = replace(text, growth_bytes=4_000, exclusive_bytes=4_000)
    assert [(row.change, row.evidence) for row in compare(grows, candidate(slower)).changes] == [
        (Change.SMALLER, "2.00 kB per run before, 200 B after")
    ]
    assert changes(candidate(), grows) == [Change.GONE]


def test_what_the_same_slots_hold_is_the_same_leak_whatever_it_is_called():
    slots = ("app.CLIENTS[*]",)
    before = replace(BASELINE, leaks=(replace(LEAK, slots=slots),))
    renamed = replace(LEAK, signature="00000000", type_name="lib.Client", holder=None, slots=slots)
    (change,) = compare(before, candidate(renamed)).changes
    assert (change.change, change.matched_by) == (Change.SAME, "slots")


@pytest.mark.parametrize(("rate", "change"), [(54.0, Change.SAME), (57.0, Change.LARGER)])
def test_an_estimated_rate_that_differs_by_more_than_a_tenth_is_another(rate: float, change: Change):
    about = replace(LEAK, rate=50.0, every_run=False)
    assert changes(candidate(replace(about, rate=rate)), replace(BASELINE, leaks=(about,))) == [change]


def test_two_types_that_c_holds_are_two_leaks_though_what_holds_them_reads_alike():
    held = replace(LEAK, slots=("root 'held from C'",), holder=None, type_name="ext.A", also_held_by=())
    other = replace(held, signature="00000000", type_name="ext.B")
    found = compare(replace(BASELINE, leaks=(held,)), candidate(other))
    assert [row.change for row in found.changes] == [Change.NEW, Change.GONE]
