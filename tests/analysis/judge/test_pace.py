"""Rates, gaps and trends of births by run."""

from __future__ import annotations

import pytest

from leakscan.analysis.judge.pace import steady_rate


def test_a_leak_that_began_in_the_last_third_has_its_rate_since_then():
    assert steady_rate((*(0,) * 7, *(3,) * 5)) == (8, 3.0, True)


def test_fewer_equal_runs_at_the_end_are_no_rate():
    assert steady_rate((*(0,) * 8, *(3,) * 4)) == (9, 3.0, False)


@pytest.mark.parametrize(
    ("before", "equal", "is_exact"),
    [(10, 10, True), (10, 9, False), (9, 9, False), (11, 11, True)],
)
def test_a_warm_up_may_last_for_half_of_the_runs_when_ten_equal_ones_follow(
    before: int, equal: int, is_exact: bool
):
    births = (18, *(0,) * (before - 1), *(1,) * equal)
    assert steady_rate(births)[2] is is_exact


def test_a_warm_up_may_last_for_a_quarter_of_the_runs():
    assert steady_rate((7, 1, 1, 1, 1, 1, 1, 1)) == (2, 1.0, True)
    assert steady_rate((36, 0, 0, *(1,) * 9)) == (4, 1.0, True)
    assert not steady_rate((36, 0, 0, 0, *(1,) * 8))[2]
