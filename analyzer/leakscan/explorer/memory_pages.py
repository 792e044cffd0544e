"""Pages of the memory as a whole: what it hangs on, by type, and what grew, each as a map and a tree."""

from __future__ import annotations

from typing import Any, Final

from leakscan.analysis.objects.growing import Grown
from leakscan.analysis.results.findings import Findings
from leakscan.errors import LeakscanError
from leakscan.explorer.rendering import Asked, Page, rendered
from leakscan.explorer.treemap import treemap
from leakscan.report.names import short_names
from leakscan.wording import count_text, visible

_ROWS: Final = 40


def dominators_page(asked: Asked, rest: str) -> Page:
    heap = asked.heap
    count = heap.graph.object_count
    under = asked.number("under", count)
    if under > count:
        raise LeakscanError(f"there is no object #{under}")
    rows = [heap.named(obj) for obj in heap.biggest(heap.dominated_by(under), _ROWS).tolist()]
    below = {
        row.object: [heap.named(obj) for obj in heap.biggest(heap.dominated_by(row.object), 8).tolist()]
        for row in rows
    }
    names = short_names(
        {each.type_name for each in (*rows, *(one for many in below.values() for one in many))}
    )
    chain = [] if under == count else [under, *heap.dominators_of(under)]
    return rendered(
        asked,
        "dominators.html.j2",
        rows=rows,
        below=below,
        names=names,
        total=int(heap.retained[under]),
        others=len(heap.dominated_by(under)) - len(rows),
        above=[heap.named(obj) for obj in reversed(chain)],
        tiles=treemap(
            [row.retained_bytes for row in rows],
            [_tile_name(row.label, names.short(row.type_name)) for row in rows],
        ),
        title="What the memory hangs on",
    )


def _tile_name(label: str, kind: str) -> str:
    return visible(label) if label.endswith(kind) else f"{visible(label)} ({kind})"


def types_page(asked: Asked, rest: str) -> Page:
    rows = asked.explorer.types[:200]
    names = [visible(row.type_name) for row in rows]
    tiles = treemap([row.retained_bytes for row in rows], names)
    left_out = len(asked.explorer.types) - len(rows)
    return rendered(asked, "types.html.j2", rows=rows, tiles=tiles, left_out=left_out, title="Types")


def growth_page(asked: Asked, rest: str) -> Page:
    found = asked.explorer.findings
    if not found:
        raise LeakscanError(
            "growth needs two snapshots", hint=asked.explorer.trouble or "leakscan open BEFORE AFTER"
        )
    tree = asked.explorer.growth
    told = [(one, _modules(one)) for one in found]
    if tree is None:
        empty: dict[str, Any] = {"below": None, "inner": [], "tiles": [], "links": [], "names": None}
        return rendered(asked, "growth.html.j2", told=told, total=None, above=[], title="Growth", **empty)
    under = asked.number("under", tree.root)
    if under > tree.root:
        raise LeakscanError(f"there is no object #{under}")
    below = tree.below(under, _ROWS)
    inner = [
        tree.members(under, row.type_name, 8) if row.count > 1 else tree.below(row.object, 8).rows
        for row in below.rows
    ]
    names = short_names({each.type_name for each in (*below.rows, *(one for many in inner for one in many))})
    heap = tree.heap
    chain = [] if under == tree.root else [under, *heap.dominators_of(under)]
    return rendered(
        asked,
        "growth.html.j2",
        told=told if under == tree.root else [],
        total=tree.total(under),
        below=below,
        inner=inner,
        names=names,
        above=[heap.named(obj) for obj in reversed(chain)],
        tiles=treemap(
            [row.grew_bytes for row in below.rows],
            [_grown_name(row, names.short(row.type_name)) for row in below.rows],
        ),
        links=[f"{asked.base}/growth?under={row.object}" for row in below.rows],
        title="Growth",
    )


def _grown_name(row: Grown, kind: str) -> str:
    return f"{count_text(row.count)} {kind}" if row.count > 1 else _tile_name(row.label, kind)


def _modules(found: Findings) -> list[tuple[str, int, list[Any]]]:
    """(module, bytes that it grew by, its types), most first."""
    modules: dict[str, list[Any]] = {}
    for row in found.growth:
        modules.setdefault(row.type_name.rpartition(".")[0] or "builtins", []).append(row)
    for rows in modules.values():
        rows.sort(key=lambda row: (row.bytes_before - row.bytes_after, row.type_name))
    sums = [
        (name, sum(row.bytes_after - row.bytes_before for row in rows), rows)
        for name, rows in modules.items()
    ]
    return sorted(sums, key=lambda each: (-each[1], each[0]))
