"""Count objects by type: from a snapshot file that holds only the type table, or from a whole V8 snapshot."""

from __future__ import annotations

from pathlib import Path

from leakscan.heap.types_only import load_census


def read_census(path: Path) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """Count and bytes of the objects of each type, by full dotted name (builtins without module).

    And the recorder's memory figures: see `heap.types_only.Census`.
    """
    found = load_census(path)
    census: dict[str, tuple[int, int]] = {}
    for name, count, size in zip(found.type_names, found.counts.tolist(), found.bytes.tolist(), strict=True):
        if count:
            # Two types may share a name: a class made anew in each run does.
            known_count, known_bytes = census.get(name, (0, 0))
            census[name] = (known_count + count, known_bytes + size)
    return census, dict(found.memory)


def census_of(snapshot: Path) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """The same, counted in a whole snapshot."""
    from leakscan.heap.census import census
    from leakscan.heap.chunks import ChunkFile
    from leakscan.heap.reader import load
    from leakscan.heap.types_only import memory_of

    with snapshot.open("rb") as file:
        memory = memory_of(ChunkFile(file, str(snapshot)))
    return census(load(snapshot, columns=())), memory


def count_snapshot(path: Path) -> dict[str, tuple[int, int]]:
    """The same of a whole snapshot, under the names that a diff gives the types."""
    from leakscan.heap.census import census
    from leakscan.heap.reader import load

    return census(load(path))
