"""Types by growth: whose retained bytes are found out."""

from __future__ import annotations

import pytest

from drawn_leaks import found
from leakscan.analysis.judge.growth import types_measured

APP = "module app -> m; m: module name=app; m -['ITEMS']-> items; items: list"


def test_retained_bytes_of_two_dozen_types_fit_the_table():
    grown = "\n".join(f"items -[{n}#]-> x{n}_#; x{n}_#: app.T{n} birth=#" for n in range(30))
    measured = [row.retained_bytes is not None for row in found(APP, grown).growth]
    assert measured == [True] * 24 + [False] * 6


@pytest.mark.parametrize("walk", [1, 1_000_000, 2_000_000, 5_000_000, 10_000_000])
def test_the_walks_together_stay_below_thirty_million_references(walk: int):
    assert types_measured(walk) * walk <= 30_000_000


def test_of_three_types_they_are_found_out_however_long_it_takes():
    assert types_measured(1_000_000_000) == 3
