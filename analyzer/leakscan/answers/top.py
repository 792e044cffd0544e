"""What the memory of one snapshot hangs on."""

from __future__ import annotations

from pathlib import Path

from leakscan.analysis.one_snapshot import top_of
from leakscan.analysis.top import Top
from leakscan.answers.capsules import capsule_at
from leakscan.answers.sources import snapshot_in
from leakscan.errors import UsageError
from leakscan.heap.reader import load

_LOOKED_AT = 60
_SHALLOW = 2


def top(snapshot: Path, *, limit: int = 10, depth: int = _SHALLOW, expand: str | None = None) -> Top:
    """The biggest dominators, `depth` levels of them, below what the pattern `expand` leads to.

    More than `limit` are in it where that is cheap: equal objects become one row when they are shown.
    """
    capsule = capsule_at([snapshot])
    if capsule is None:
        looked_at = max(limit, _LOOKED_AT) if depth <= _SHALLOW else limit
        return top_of(load(snapshot_in(snapshot)), limit=looked_at, depth=depth, under=expand)
    if capsule.top is None:
        raise UsageError(f"{snapshot} does not hold what `top` shows", hint="it was left out for its size")
    if expand is not None or depth > _SHALLOW:
        raise UsageError(
            f"{snapshot} is a capsule: --expand and --depth need the heap", hint="leave them out"
        )
    return capsule.top
