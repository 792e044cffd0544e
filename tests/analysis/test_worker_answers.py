"""The same leak in several workers of a supervisor is one leak."""

from __future__ import annotations

from dataclasses import replace

from findings_samples import CLEAN, MODEL_OUTPUT, SPANS, TWO_HOLDERS
from leakscan.analysis.results.findings import Findings, Leak
from leakscan.analysis.workers import answer_of_workers


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
