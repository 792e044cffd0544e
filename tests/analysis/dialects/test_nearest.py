"""What is suggested in place of a pattern that matches nothing."""

from __future__ import annotations

from heaps import heap
from leakscan.analysis.dialects.nearest import nearest_patterns
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern

NAMES = (
    "itema",
    "itemb",
    "itemc",
    "itemd",
    "iteme",
    "itemf",
    "itemg",
    "itemh",
    "itemi",
    "itemj",
    "itemk",
    "iteml",
)


def suggested(text: str) -> list[str]:
    attributes = "; ".join(f"s -[.{name}]-> {name}; {name}: list; {name} -[0]-> x" for name in NAMES)
    graph = heap(f"module app -> m -[.S]-> s; m: module name=app; s: app.State; {attributes}")
    pattern = parse_pattern(text)
    return nearest_patterns(graph, pattern, match_pattern(graph, pattern), ())


def test_five_patterns_are_suggested():
    found = suggested("State.itemz")
    assert (len(found), set(found) <= {f"State.{name}" for name in NAMES}) == (5, True)


def test_what_is_less_alike_but_there_is_found_behind_a_dozen_that_are_not():
    found = suggested("State.itemz.deep")
    assert found and set(found) <= {f"State.{name}" for name in NAMES}
