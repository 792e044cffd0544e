"""What Node itself keeps alive from C++: open handles by the class a program knows them from, and modules.

`Node's open Server[*]` is every listening server: Node holds the `TCP` of each until it is closed, and that
leads to its `Server`. `Node's ES modules[*]` is what was imported: nothing lets go of a module again.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import numpy as np

from leakscan.analysis.dialects.slots_v8 import ES_MODULES, REQUIRED
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import RootKind
from leakscan.heap.v8_names import GLOBAL

HANDLES: Final = "(Global handles)"
_BY_NODE: Final = "Node / "
_OWNER: Final = "<symbol owner_symbol>"
_MODULES: Final = ("ModuleWrap", "system / SourceTextModule", "system / SyntheticModule")
_OPEN: Final = "Node's open "
PARSER: Final = "HTTPParser"
"""Node's for a connection, which goes with its socket: Node takes those of before for new sockets again."""
_CLASS: Final = re.compile(r"[^\W\d][\w$]*")
NODE_HEADS: Final = rf"{ES_MODULES}|{_OPEN}{_CLASS.pattern}|{re.escape(REQUIRED)}(?=\[)"
"""How a pattern of these begins."""
_WRAPPERS: Final = "javascript_to_native"
"""Name of the edge from an object to what Node has in C++ (V8's `javascript_to_native_`), from Node 18 on."""
_PLAIN: Final = ("Object", "Array", "Function", "Map", "Set")
"""Wrappers of bindings that no program opened."""


def handle_names(graph: HeapGraph) -> dict[int, str]:
    """Row of the root table to `Node's open Server`, for those roots that a program can say so of.

    O(roots of C++, and their references). Node 20 has a root for the wrapper of a handle and for what
    only its C++ side refers to; both are what closing it lets go of.
    """
    if graph.runtime != "v8" or not any(name.startswith(_BY_NODE) for name in graph.type_names):
        return {}
    interpreter = np.flatnonzero(graph.roots.kinds == RootKind.INTERPRETER)
    labels = {row: graph.root_label(row) for row in interpreter.tolist()}
    targets = graph.roots.targets.tolist()
    modules = np.flatnonzero(graph.roots.kinds == RootKind.MODULE).tolist()
    found = {row: ES_MODULES for row in modules if graph.root_label(row) != GLOBAL}
    of_label: dict[str, Counter[str]] = {}
    by_object: dict[int, str] = {}
    for row, label in labels.items():
        if label != HANDLES and not label.startswith(_BY_NODE):
            continue
        if targets[row] not in by_object:
            by_object[targets[row]] = _told_as(graph, targets[row])
        name = by_object[targets[row]]
        if name:
            found[row] = name
            of_label.setdefault(label, Counter())[name] += 1
    for row, label in labels.items():
        # A wrapper's neighbours in C++ are told as it is.
        if row not in found and label != HANDLES and label in of_label:
            found[row] = min(of_label[label].items(), key=lambda named: (-named[1], named[0]))[0]
    return found


def is_open(pattern: str) -> bool:
    """Whether this is what Node has open, and nothing in it."""
    return pattern.startswith(_OPEN) and pattern.endswith("[*]") and "." not in pattern


def rows_called(graph: HeapGraph, name: str) -> U32:
    """Rows of the root table that `Node's open Server` stands for."""
    named = handle_names(graph)
    return np.array(sorted(row for row, text in named.items() if text == name), np.uint32)


def _told_as(graph: HeapGraph, obj: int) -> str:
    """What a root of C++ that leads to this object is called, "" where the program made no such thing."""
    type_name = graph.type_name(obj)
    if type_name in _MODULES:
        return ES_MODULES
    owner, is_wrapper = "", False
    for ref in graph.references(obj):
        label = graph.label(ref)
        is_wrapper |= label == _WRAPPERS
        target = int(graph.ref_targets[ref])
        if label == _OWNER or (type_name == PARSER and label == "socket"):
            owner = graph.type_name(target)
    name = owner if _CLASS.fullmatch(owner) else type_name
    is_handle = is_wrapper or bool(owner) or type_name == PARSER
    return f"{_OPEN}{name}" if is_handle and _CLASS.fullmatch(name) and name not in _PLAIN else ""
