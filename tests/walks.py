"""Takes a snapshot of the running tests and looks objects up in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import leakscan
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import BIRTH_UNKNOWN, Kind
from leakscan.record.snapshot import record

__all__ = ["BIRTH_UNKNOWN", "Kind", "Walked", "walk"]


class Walked:
    """A heap just recorded, by the ids of objects that are still alive."""

    def __init__(self, heap: HeapGraph) -> None:
        self.heap = heap
        self._order = np.argsort(heap.addresses)
        self._sorted = heap.addresses[self._order]

    def row(self, thing: object) -> int:
        return self.row_at(id(thing))

    def row_at(self, address: int) -> int:
        at = int(np.searchsorted(self._sorted, np.uint64(address)))
        if at == len(self._sorted) or int(self._sorted[at]) != address:
            raise KeyError(f"no object at {address:#x} in the snapshot")
        return int(self._order[at])

    def has(self, thing: object) -> bool:
        return bool(np.isin(np.uint64(id(thing)), self._sorted))

    def size(self, thing: object) -> int:
        return int(self.heap.sizes[self.row(thing)])

    def references(self, thing: object) -> list[tuple[Kind, str, int]]:
        """(kind, label, address of the target) of each reference of `thing`."""
        heap = self.heap
        return [
            (heap.kind(ref), heap.label(ref), int(heap.addresses[int(heap.ref_targets[ref])]))
            for ref in heap.references(self.row(thing))
        ]

    def label(self, source: object, target: object) -> set[tuple[str, str]]:
        """(kind, label) of every reference from `source` to `target`."""
        return {
            (kind.name, label)
            for kind, label, address in self.references(source)
            if address == id(target) and kind is not Kind.TYPE
        }

    def owned_references(self) -> np.ndarray:
        """For each object, how many references and roots that own a count lead to it."""
        heap = self.heap
        seen = np.zeros(heap.object_count, np.int64)
        np.add.at(seen, heap.ref_targets[(heap.ref_kinds & 0x80) == 0], 1)
        np.add.at(seen, heap.roots.targets[(heap.roots.flags & 1) == 0], 1)
        return seen

    def roots_of(self, thing: object) -> set[tuple[str, str]]:
        """(kind, label) of the roots that are `thing`."""
        heap = self.heap
        return {
            (heap.root_kind(root).name, heap.root_label(root))
            for root in np.nonzero(heap.roots.targets == self.row(thing))[0].tolist()
        }


def walk(*, redact_keys: bool = False, values: bool = False) -> Walked:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "now.heap"
        record(path, redact_keys=redact_keys, values=values)
        return Walked(leakscan.load(path))
