"""What keeps the objects of a type alive, in one snapshot."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from leakscan.analysis.objects.called import find_meant
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.one_snapshot import TypePaths, paths_to_type
from leakscan.answers.capsules import capsule_at
from leakscan.answers.sources import snapshot_in
from leakscan.errors import UsageError
from leakscan.heap.reader import load
from leakscan.heap.source_maps import SourceMaps


def paths(
    snapshot: str | Path, type_name: str, *, limit: int = 10, source_maps: Path | None = None
) -> TypePaths:
    """The ways to the objects of the types whose qualified name ends with `type_name`; 0 shows all.

    Where no type is called so, to the objects that it means as a screen printed it. UsageError: neither.

    `snapshot` may be a capture (its last one), or a capsule, which holds the paths to the types that leak.
    """
    capsule = capsule_at([Path(snapshot)])
    if capsule is not None:
        return capsule.paths_of(type_name)
    maps = SourceMaps(source_maps) if source_maps is not None else None
    graph = load(snapshot_in(Path(snapshot)), source_maps=maps)
    try:
        return paths_to_type(graph, type_name, limit=limit)
    except UsageError:
        # No type: what a screen printed, a slot or an object, has ways that lead to it, too.
        with suppress(UsageError):
            objects = find_meant(Heap(graph), type_name)
            return paths_to_type(graph, type_name, limit=limit, objects=objects)
        raise
