"""Which running function has what V8 lists as "(Stack roots)": from the order in which it lists them.

A frame is its values, its function, its scope, and the code that runs it (`CommonFrame::Iterate` of V8,
Node 18 to 26). What was passed to a function comes after its code: it is one of the caller's values.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from leakscan.heap import v8_names as names
from leakscan.heap.graph import U32
from leakscan.heap.v8 import RawSnapshot
from leakscan.heap.v8_strings import Strings, mask

_NAMELESS: Final = "(anonymous)"


def name_frames(raw: RawSnapshot, strings: Strings, rows: U32, targets: U32, labels: U32) -> None:
    """Writes `running main()` as the label of those roots that lie in the frame of a function.

    `rows` are those of the stack, in the order of the file. What lies below the last one keeps its label.
    """
    of_stack = targets[rows]
    kinds = raw.node_types[of_stack]
    is_scope = np.isin(
        raw.node_names[of_stack], (*strings.all(names.CONTEXT), *strings.all(names.NATIVE_CONTEXT))
    )
    ends = mask(raw, ["closure"])[kinds][:-2] & is_scope[1:-1] & mask(raw, ["code"])[kinds][2:]
    functions = np.flatnonzero(ends)
    begin = 0
    for at in functions.tolist():
        # The function, its scope and its code belong to the frame.
        name = strings[int(raw.node_names[of_stack[at]])] or _NAMELESS
        labels[rows[begin : at + 3]] = strings.add(names.RUNNING.format(name))
        begin = at + 3
