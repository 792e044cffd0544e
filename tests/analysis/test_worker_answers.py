"""The same leak in several workers of a supervisor is one leak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from findings_samples import CLEAN, MODEL_OUTPUT, SPANS, TWO_HOLDERS
from leakscan.analysis.results.findings import Findings, Leak, Verdict
from leakscan.analysis.results.workers import WorkerMemory
from leakscan.analysis.workers import answer_of_workers
from leakscan.report.text.findings import TextOptions
from leakscan.report.text.lines import plain
from leakscan.report.text.workers import workers_text


def worker(name: str, *leaks: Leak) -> Findings:
    return replace(TWO_HOLDERS if leaks else CLEAN, mode=name, leaks=leaks)


SMALL = replace(MODEL_OUTPUT, count=5, exclusive_bytes=10, shared_bytes=1)
BIG = replace(MODEL_OUTPUT, count=9, exclusive_bytes=20, shared_bytes=2)


def test_a_leak_of_two_workers_is_told_once_with_what_it_is_in_each():
    answer = answer_of_workers([worker("w2", BIG), worker("w1", SMALL), worker("w3")], [])
    (shared,) = answer.leaks
    assert (shared.workers, shared.counts, shared.bytes) == (("w1", "w2"), (5, 9), 33)
    assert (shared.leak, answer.heaviest.mode) == (BIG, "w2")


def test_what_most_workers_have_comes_first_and_then_what_is_heaviest():
    heavy = replace(SPANS, exclusive_bytes=10**9)
    answer = answer_of_workers([worker("w1", heavy, SMALL), worker("w2", SMALL)], [])
    assert [shared.leak.signature for shared in answer.leaks] == [SMALL.signature, heavy.signature]


def test_workers_that_cannot_be_read_are_counted():
    answer = answer_of_workers([worker("w1")], [("w2", "no such file")])
    assert (answer.count, answer.leaks) == (2, ())


def memory(own: tuple[int, int], shared: tuple[int, int]) -> WorkerMemory:
    return WorkerMemory("7", own[0] + shared[0], own[1] + shared[1], *own, *shared)


@pytest.mark.parametrize(
    ("own", "shared", "copied"),
    [
        ((10, 110), (300, 200), 100),  # every page of the growth was there before
        ((10, 150), (300, 200), 100),
        ((10, 60), (300, 200), 50),  # the others went away elsewhere
        ((10, 60), (300, 300), 0),
        ((60, 10), (300, 200), 0),
        ((10, 60), (200, 300), 0),
    ],
)
def test_copied_pages_are_what_grew_and_was_in_common_before(
    own: tuple[int, int], shared: tuple[int, int], copied: int
):
    assert memory(own, shared).copied_bytes == copied


def test_the_answer_says_how_much_of_the_growth_was_in_common_before():
    answer = answer_of_workers(
        [worker("w1", BIG)], [], [memory((1_000_000, 9_000_000), (20_000_000, 15_000_000))]
    )
    text = " ".join(plain(workers_text(answer, TextOptions())).split())
    assert "1.00 MB -> 9.00 MB of their own" in text
    assert "5.00 MB of the growth are pages that they had in common before" in text
    assert answer.merged.memory == answer.memory


def test_a_worker_that_saw_too_little_is_said_to_be_undecided():
    unsure = replace(BIG, verdict=Verdict.INCONCLUSIVE)
    answer = answer_of_workers([worker("w1", SMALL), worker("w2", unsure)], [])
    (shared,) = answer.leaks
    assert (shared.leak, shared.undecided, shared.counts) == (SMALL, 1, (5, 9))
    text = " ".join(plain(workers_text(answer, TextOptions())).split())
    assert "2 of 2 workers, leak (1 of them undecided): 14" in text
