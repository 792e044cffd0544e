"""Strings and byte strings that occur often: made again and again where one would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakscan.analysis.graph.kernels import NO
from leakscan.analysis.objects.heap import Heap
from leakscan.heap.graph import U32, U64
from leakscan.heap.texts import V8_CUT, texts_of, values_of


@dataclass(frozen=True, slots=True)
class SameText:
    """Objects that say the same. `hash` tells it from others of this snapshot.

    `shallow_bytes` are of all of them; `object` is one. `is_cut`: only their first 1 024 characters and their
    sizes were compared. `value` is what it says, masked and cut, None unless it was recorded.
    """

    type_name: str
    hash: str
    length: int
    count: int
    shallow_bytes: int
    object: int
    is_cut: bool
    value: str | None


@dataclass(frozen=True, slots=True)
class SameSize:
    """Strings or byte strings that weigh the same, where no hashes are known."""

    type_name: str
    size: int
    count: int


def same_texts(heap: Heap, *, most: int = 100) -> tuple[SameText, ...]:
    """Live texts that occur more than once, those that weigh most together first; () without hashes."""
    graph, texts = heap.graph, texts_of(heap.graph)
    live = heap.is_shown[texts.objects] & (heap.dominance.idom[texts.objects] != NO)
    objects, lengths, hashes = texts.objects[live], texts.lengths[live], texts.hashes[live]
    if not len(objects):
        return ()
    # A string of one class is none of another, and bytes are no string.
    told = (graph.type_ids[objects].astype(np.uint64) << np.uint64(32)) | lengths
    keys: U64 = hashes ^ (told * np.uint64(0x9E3779B97F4A7C15))
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.append(True, keys[order[1:]] != keys[order[:-1]]))
    counts = np.diff(np.append(starts, len(order)))
    sizes = np.add.reduceat(np.asarray(graph.sizes, np.uint64)[objects[order]], starts)
    often = np.flatnonzero(counts > 1)
    first: U32 = objects[order[starts[often]]]
    chosen = np.lexsort((first, -sizes[often].astype(np.int64)))[:most]
    is_v8, values = graph.runtime == "v8", values_of(graph)
    found = []
    for row in chosen.tolist():
        at = order[starts[often[row]]]
        length, obj = int(lengths[at]), int(objects[at])
        found.append(
            SameText(
                graph.type_name(obj),
                f"{int(hashes[at]):016x}",
                length,
                int(counts[often[row]]),
                int(sizes[often[row]]),
                obj,
                is_v8 and length >= V8_CUT,
                values.get(int(hashes[at])),
            )
        )
    return tuple(found)


def same_sizes(heap: Heap, *, most: int = 200) -> tuple[SameSize, ...]:
    """The sizes of live strings and byte strings that weigh most together."""
    graph, found = heap.graph, []
    for row, name in enumerate(graph.type_names):
        if name not in ("str", "bytes", "bytearray", "(string)"):
            continue
        chosen = (graph.type_ids == row) & heap.is_shown & (heap.dominance.idom[: graph.object_count] != NO)
        sizes, counts = np.unique(graph.sizes[chosen], return_counts=True)
        pairs = zip(sizes.tolist(), counts.tolist(), strict=True)
        found += [SameSize(name, size, count) for size, count in pairs if count > 1]
    return tuple(sorted(found, key=lambda each: (-each.size * each.count, each.type_name, each.size))[:most])


def with_same_text(heap: Heap, obj: int) -> U32:
    """The live objects that say what `obj` says, itself included; none when that is not known."""
    graph, texts = heap.graph, texts_of(heap.graph)
    at = int(np.searchsorted(texts.objects, obj))
    if at >= len(texts.objects) or int(texts.objects[at]) != obj:
        return np.zeros(0, np.uint32)
    same = texts.objects[(texts.hashes == texts.hashes[at]) & (texts.lengths == texts.lengths[at])]
    kept = (graph.type_ids[same] == graph.type_ids[obj]) & heap.is_shown[same]
    return np.asarray(same[kept & (heap.dominance.idom[same] != NO)], np.uint32)
