"""Where V8 says that objects were made: stacks of a snapshot taken while allocations were traced."""

from __future__ import annotations

import json
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leakscan.errors import SnapshotError
from leakscan.heap.graph import U64
from leakscan.heap.v8_types import file_of


@dataclass(frozen=True, slots=True)
class Function:
    """A function on a stack; `line` is where it begins."""

    name: str
    file: str
    line: int


class Traces:
    """The stacks of one snapshot's objects, by their V8 id. SnapshotError: the file has none."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            try:
                self._read(text)
            except (ValueError, KeyError, IndexError) as error:
                raise SnapshotError(f"{path} says nothing about where its objects were made") from error

    def _read(self, text: mmap.mmap) -> None:
        head = _find(text, "nodes", 0)
        meta = json.loads(text[:head].rstrip().rstrip(b",") + b"}")["snapshot"]["meta"]
        nodes = np.fromstring(_array(text, "nodes", 0), np.int64, sep=",")
        nodes = nodes.reshape(-1, len(meta["node_fields"]))
        ids = nodes[:, meta["node_fields"].index("id")]
        order = np.argsort(ids)
        self._ids: U64 = ids[order].astype(np.uint64)
        self._traces = nodes[order, meta["node_fields"].index("trace_node_id")]
        infos = _find(text, "trace_function_infos", head)
        flat: list[int] = json.loads(b"[" + _array(text, "trace_function_infos", infos) + b"]")
        tree = _find(text, "trace_tree", infos)
        samples = _find(text, "samples", tree)
        roots = json.loads(text[tree + len(b'"trace_tree":') : samples].rstrip().rstrip(b","))
        strings = _find(text, "strings", samples)
        names: list[str] = json.loads(text[strings + len(b'"strings":') :].rstrip()[:-1])
        self._functions = _functions(flat, meta["trace_function_info_fields"], names)
        self._callers: dict[int, tuple[int, int]] = {}
        work: list[tuple[Any, int]] = [(roots, 0)]  # Any: lists in lists
        while work:
            level, caller = work.pop()
            for number, function, _, _, children in zip(*[iter(level)] * 5, strict=True):
                self._callers[number] = (caller, function)
                work.append((children, number))

    def stack_of(self, node_id: int) -> tuple[Function, ...]:
        """The functions in which an object was made, the innermost first; () where it was not seen."""
        at = int(np.searchsorted(self._ids, np.uint64(node_id)))
        if at == len(self._ids) or int(self._ids[at]) != node_id:
            return ()
        stack, number = [], int(self._traces[at])
        while number in self._callers:
            number, function = self._callers[number]
            stack.append(self._functions[function])
        return tuple(stack)


def _find(text: mmap.mmap, name: str, start: int) -> int:
    """Where an array of the file begins, with its name. ValueError: it has none of that name."""
    found = text.find(f'"{name}":['.encode(), start)
    if found < 0:
        raise ValueError(name)
    return found


def _array(text: mmap.mmap, name: str, start: int) -> bytes:
    """What is between the brackets of an array of numbers."""
    first = _find(text, name, start) + len(name) + 4
    return text[first : text.find(b"]", first)]


def _functions(flat: list[int], fields: list[str], names: list[str]) -> list[Function]:
    size = len(fields)
    name, script, line = (fields.index(each) for each in ("name", "script_name", "line"))
    rows = (flat[at : at + size] for at in range(0, len(flat), size))
    return [Function(names[row[name]], file_of(names[row[script]]), max(row[line], 0)) for row in rows]
