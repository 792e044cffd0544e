"""A BytesIO, and a bytearray of CPython 3.15, keeps its bytes in a `bytes` object of its own.

See Modules/_io/bytesio.c and Objects/bytearrayobject.c.

To a reader it is one object, as it was before: its size counts the bytes already (`sys.getsizeof`), and a
buffer that was made anew to grow is no new object of the program. So the inner one weighs nothing and is
marked as the runtime's own.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind

_HAS_INNER: Final = (3, 15)
_Column = TypeVar("_Column", bound="npt.NDArray[Any]")  # Any: a column of whatever width


def owned_buffers(graph: HeapGraph) -> U32:
    """The `bytes` objects that nothing but a BytesIO or a bytearray refers to."""
    if graph.runtime != "cpython":
        return np.zeros(0, np.uint32)
    has_inner = graph.python_version >= _HAS_INNER
    owner_types = ("_io.BytesIO", "bytearray") if has_inner else ("_io.BytesIO",)
    rows = [row for row, name in enumerate(graph.type_names) if name in owner_types]
    owners = np.flatnonzero(np.isin(graph.type_ids, rows)).astype(np.uint32)
    inner_rows = [row for row, name in enumerate(graph.type_names) if name == "bytes"]
    targets = [
        int(graph.ref_targets[ref])
        for owner in owners.tolist()
        for ref in range(int(graph.first_ref[owner]), int(graph.first_ref[owner + 1]))
        if int(graph.ref_kinds[ref]) & KIND_MASK == Kind.SLOT
    ]
    found = np.array(targets, np.uint32)
    own: U32 = found[np.isin(graph.type_ids[found], inner_rows) & (graph.refcounts[found] == 1)]
    return own


def with_items(column: _Column, rows: U32, items: npt.ArrayLike) -> _Column:
    """A copy of `column` with `items` in these rows; `column` itself when there are none."""
    if not len(rows):
        return column
    changed = column.copy()
    changed[rows] = items
    return changed
