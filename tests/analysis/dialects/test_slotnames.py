"""What a slot is called: from the nearest object that somebody has a name for."""

from __future__ import annotations

import pytest

from drawn_runs import Analysed
from heaps import heap


def pattern(text: str, *, runtime: str, every: bool = False) -> str:
    """Of the reference to `last`."""
    graph = heap(text, runtime=runtime)
    (ref,) = (ref for ref in range(graph.reference_count) if graph.ref_targets[ref] == graph["last"])
    return Analysed(graph).names.slot_pattern(ref, every=every)


@pytest.mark.parametrize("links", [3, 6000])
def test_a_link_of_v8_is_called_by_the_first_link_of_its_chain(links: int):
    chain = "\n".join(f"f{at} -[.next]-> f{at + 1}; f{at}: Frame" for at in range(links))
    drawing = (
        f"root -> registry -[.head]-> f0; registry: Registry\n{chain}\nf{links}: Frame; f{links} -[.x]-> last"
    )
    assert pattern(drawing, runtime="v8") == "root 'root'.head.next.x"


@pytest.mark.parametrize(("depth", "start"), [(3, "State.x"), (20, "State.x"), (30, "list")])
def test_a_nested_container_is_called_by_what_it_lies_in_a_screen_above(depth: int, start: str):
    lists = "\n".join(f"l{at} -[0]-> l{at + 1}; l{at}: list" for at in range(depth))
    drawing = f"""
    module app -> m -[.S]-> s -[.x]-> l0; m: module name=app; s: app.State
    {lists}
    l{depth}: list; l{depth} -[0]-> last; last: str
    """
    assert pattern(drawing, runtime="cpython", every=True).partition("[")[0] == start
