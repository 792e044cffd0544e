"""Strings and byte strings that say the same, known by a hash and a length: what they say stays out.

Unless the capture was told to record it (`--values`): then 120 characters of it are there, secrets masked.
The recorder's hashes have a key of the observed process that nobody keeps. In a V8 heap equal strings are one
row of its table, so their hashes are made here, under a key of this process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.heap.graph import U32, U64, HeapGraph, StringTable
from leakscan.heap.kinds import KIND_MASK, NUMBER_LABELS

V8_CUT: Final = 1024
"""Characters of a string that V8 writes into a snapshot, unless it is told otherwise."""
_KEY: Final = np.frombuffer(os.urandom(16), np.uint64)


@dataclass(frozen=True, slots=True)
class Texts:
    """Objects whose text has a hash, ascending; `lengths` are characters, or bytes."""

    objects: U32
    lengths: U32
    hashes: U64


def texts_of(graph: HeapGraph) -> Texts:
    """Those of a heap; none when they were not recorded."""
    if graph.runtime != "v8":
        return Texts(graph.text_objects, graph.text_lengths, graph.text_hashes)
    rows = graph.text_hashes.astype(np.uint32)
    lengths = _lengths(graph.strings)[rows]
    # A longer one is cut in the file: only its beginning is known, and what it weighs.
    sizes = np.asarray(graph.sizes, np.uint64)[graph.text_objects]
    told = np.where(lengths >= V8_CUT, sizes, np.uint64(0))
    return Texts(graph.text_objects, lengths, _mixed(_mixed(graph.text_hashes ^ _KEY[0]) ^ told ^ _KEY[1]))


def values_of(graph: HeapGraph) -> Mapping[int, str]:
    """What the texts with a hash say, by that hash; {} unless it was recorded."""
    if not graph.text_values:
        return {}
    objects = np.array(list(graph.text_values), np.uint32)
    rows = np.searchsorted(graph.text_objects, objects)
    is_there = rows < len(graph.text_objects)
    is_there[is_there] = graph.text_objects[rows[is_there]] == objects[is_there]
    hashes = graph.text_hashes[rows[is_there]].tolist()
    said = [graph.strings[graph.text_values[obj]] for obj in objects[is_there].tolist()]
    return dict(zip(hashes, said, strict=True))


def said_by(graph: HeapGraph, obj: int) -> str | None:
    """What this text says; None unless it was recorded."""
    row = int(np.searchsorted(graph.text_objects, obj))
    if row >= len(graph.text_objects) or int(graph.text_objects[row]) != obj:
        return None
    return values_of(graph).get(int(graph.text_hashes[row]))


def names_in(graph: HeapGraph) -> U32:
    """The strings that are names, keys or files, ascending; what `values_of` tells is among them.

    The table of a V8 heap has every text of the program as well.
    """
    if graph.runtime != "v8":
        return np.arange(len(graph.strings), dtype=np.uint32)
    is_name = np.zeros(len(graph.strings), np.bool_)
    is_name[0] = True
    is_number = np.isin(graph.ref_kinds & np.uint8(KIND_MASK), np.array(NUMBER_LABELS, np.uint8))
    is_name[graph.ref_labels[~is_number]] = True
    for column in (graph.types.names, graph.types.modules, graph.roots.labels, graph.site_files):
        is_name[column] = True
    is_name[list(graph.names.values())] = True
    is_name[[file for file, _ in graph.locations.values()]] = True
    is_name[graph.site_functions] = True
    is_name[graph.work_names] = True
    return np.flatnonzero(is_name).astype(np.uint32)


def _lengths(strings: StringTable) -> U32:
    """Characters of each string: bytes of UTF-8 that begin one."""
    if not len(strings):
        return np.zeros(0, np.uint32)
    blob = np.frombuffer(strings.blob, np.uint8)
    ends = np.asarray(strings.ends, np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    found = np.zeros(len(ends), np.uint32)
    is_filled = starts < ends
    if is_filled.any():
        begins = (blob & 0xC0) != 0x80
        found[is_filled] = np.add.reduceat(begins, starts[is_filled], dtype=np.uint32)
    return found


def _mixed(values: U64) -> U64:
    """Each number's bits spread over all of it (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
