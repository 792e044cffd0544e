"""The bytes of a bytearray of CPython 3.15, which are an object of their own there."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.heap.buffers import owned_buffers

TAPE = """
module app -> m; m: module name=app; m -['TAPE']-> tape; tape: bytearray size=90
tape -[slot ob_bytes_object]-> inner; inner: bytes size=80 refcount=1
m -['LENT']-> lent; lent: bytearray; lent -[slot ob_bytes_object]-> shared; m -['DATA']-> shared
shared: bytes refcount=2
"""


@pytest.mark.parametrize(("python", "own"), [("3.15.0", ["inner"]), ("3.14.2", []), ("", [])])
def test_bytes_that_only_a_bytearray_refers_to_are_part_of_it(python: str, own: list[str]):
    graph = heap(TAPE, meta={"python": python})
    assert sorted(graph.spell(owned_buffers(graph))) == own
