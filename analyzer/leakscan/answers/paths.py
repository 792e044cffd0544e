"""What keeps the objects of a type alive, in one snapshot."""

from __future__ import annotations

from pathlib import Path

from leakscan.analysis.one_snapshot import TypePaths, paths_to_type
from leakscan.answers.capsules import capsule_at
from leakscan.answers.sources import snapshot_in
from leakscan.heap.reader import load
from leakscan.heap.source_maps import SourceMaps


def paths(
    snapshot: str | Path, type_name: str, *, limit: int = 10, source_maps: Path | None = None
) -> TypePaths:
    """The ways to the objects of the types whose qualified name ends with `type_name`; 0 shows all.

    `snapshot` may be a capture (its last one), or a capsule, which holds the paths to the types that leak.
    """
    capsule = capsule_at([Path(snapshot)])
    if capsule is not None:
        return capsule.paths_of(type_name)
    maps = SourceMaps(source_maps) if source_maps is not None else None
    return paths_to_type(load(snapshot_in(Path(snapshot)), source_maps=maps), type_name, limit=limit)
