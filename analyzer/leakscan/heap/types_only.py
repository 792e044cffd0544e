"""The census of a process in a snapshot that was written with types only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from leakscan.heap.chunks import U64_ITEMS, ChunkFile
from leakscan.heap.columns import load_strings, string_column
from leakscan.heap.graph import U64
from leakscan.heap.opening import opened

MEMORY_FIGURES: Final = (
    "object_block_bytes",
    "pool_used_bytes",
    "pool_resident_bytes",
    "pools",
    "births_bytes",
)
"""Items of the column `memory`, in their order (docs/format.md)."""


@dataclass(frozen=True, slots=True)
class Census:
    """Objects and shallow bytes for each type of one process, without its graph."""

    type_names: tuple[str, ...]
    counts: U64
    bytes: U64
    meta: Mapping[str, Any]  # Any: JSON
    memory: Mapping[str, int]
    """bytes by MEMORY_FIGURES, {} when the recorder did not tell"""


def load_census(source: str | os.PathLike[str] | BinaryIO) -> Census:
    """The census in a snapshot that was written with types only. SnapshotError as in `load`."""
    file, name = opened(source)
    chunks = ChunkFile(file, name)
    counts, sizes = chunks.array("census.count", U64_ITEMS), chunks.array("census.bytes", U64_ITEMS)
    strings = load_strings(chunks)
    modules = string_column(chunks, "type.module", len(strings))
    names = string_column(chunks, "type.name", len(strings))
    if not len(counts) == len(sizes) == len(names) == len(modules):
        raise chunks.fault("census.count", "does not have one item for each type")
    meta = chunks.json("meta")
    memory = memory_of(chunks)
    chunks.close()
    rows = zip(modules.tolist(), names.tolist(), strict=True)
    return Census(tuple(_dotted(strings[m], strings[n]) for m, n in rows), counts, sizes, meta, memory)


def memory_of(chunks: ChunkFile) -> dict[str, int]:
    """The column `memory` by the names of its items; {} when the file does not have it."""
    return dict(zip(MEMORY_FIGURES, chunks.array("memory", U64_ITEMS).tolist(), strict=False))


def _dotted(module: str, name: str) -> str:
    return name if module in ("", "builtins") else f"{module}.{name}"
