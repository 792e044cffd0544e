"""Retention paths as an SVG picture of our own: nothing to install, fit for a page with a strict CSP.

Each leak is a tree of its paths, roots on top; common beginnings are drawn once, and all paths end at one
box, the survivors. A path that takes three lines of text takes three rows of the picture: no layout is
searched for, so the same findings give the same picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Final

from leakscan.analysis.results.findings import Findings, Leak, Path
from leakscan.report.cuts import cut_steps
from leakscan.report.folding import fold_steps
from leakscan.report.names import TypeNames, object_text, place, type_names
from leakscan.report.pictures.dot import DEFAULT_LEAKS, DEFAULT_PATHS, wrapped
from leakscan.wording import count_text, size_text, visible

_WIDTH: Final = 218
"""Of a box; 26 characters of 12 pixels and a margin."""
_GAP: Final = 26
_ROW: Final = 15
_PAD: Final = 9
_EDGE: Final = 22
_MARGIN: Final = 12
_FILL: Final = {
    "root": "#dddddd",
    "old": "#ffffff",
    "new": "#e3eefb",
    "holder": "#fff0c2",
    "survivor": "#ffdcdc",
    "folded": "#ffffff",
}
_FONT: Final = 'font-family="Helvetica,Arial,sans-serif" font-size="12"'


@dataclass
class _Node:
    """A box, the reference that leads to it, and what it leads to."""

    rows: list[str]
    kind: str
    edge: list[str] = field(default_factory=list)
    is_cut: bool = False
    children: dict[tuple[str, ...], _Node] = field(default_factory=dict)
    column: int = 0
    depth: int = 0
    ends: list[tuple[list[str], bool]] = field(default_factory=list)
    """references that lead from here to the survivors"""

    @property
    def height(self) -> int:
        return len(self.rows) * _ROW + 2 * _PAD - 4


def findings_svg(findings: Findings, *, limit: int = DEFAULT_LEAKS, all_paths: bool = False) -> str:
    """The paths of the leaks as one SVG document, one leak below the other; `limit` 0 draws all."""
    drawn = findings.leaks[: limit or None]
    names = type_names(findings)
    parts, top, width = [], _MARGIN, _WIDTH
    for leak in drawn:
        text, across, down = _leak(leak, names, top=top, all_paths=all_paths)
        parts.append(text)
        width = max(width, across)
        top = down + 2 * _GAP
    notes = [] if drawn else ["no path to draw: nothing is left that is not library noise"]
    if len(drawn) < len(findings.leaks):
        notes.append(f"{count_text(len(findings.leaks) - len(drawn))} more leaks: --limit 0 draws all")
    for note in notes:
        parts.append(_text(_MARGIN, top + _ROW, note))
        top += 2 * _ROW
    return _document("".join(parts), width + 2 * _MARGIN, top, findings.headline)


def leak_svg(leak: Leak, names: TypeNames) -> str:
    """One leak as an SVG element to stand inside a page."""
    text, width, height = _leak(leak, names, top=_MARGIN, all_paths=False)
    return _document(text, width + 2 * _MARGIN, height + _MARGIN, f"paths to leak {leak.signature}")


def _document(content: str, width: int, height: int, title: str) -> str:
    name = escape(visible(title)[:300], quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="paths" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img" aria-label="{name}">'
        f'<title>{name}</title><rect class="paper" width="100%" height="100%" fill="#ffffff"/>'
        f"{content}</svg>\n"
    )


def _leak(leak: Leak, names: TypeNames, *, top: int, all_paths: bool) -> tuple[str, int, int]:
    """The drawing of one leak, how wide it is, and where it ends."""
    paths = (leak.path, *leak.also_held_by)
    shown = paths if all_paths else paths[:DEFAULT_PATHS]
    trees: dict[tuple[str, ...], _Node] = {}
    for path in shown:
        _grow(trees, leak, path, names, all_paths=all_paths)
    columns = 0
    for tree in trees.values():
        columns = _place(tree, columns, 0)
    nodes = [node for tree in trees.values() for node in _walk(tree)]
    tops = _tops(nodes, top)
    width = columns * (_WIDTH + _GAP) - _GAP
    what = names.leak(leak) if leak.name else names.short(leak.type_name)
    survivors = [*wrapped(f"{count_text(leak.count)} x {what}").split("\n")]
    survivors += [f"survivors, {size_text(leak.exclusive_bytes)}", f"leak {visible(leak.signature)}"]
    if len(shown) < len(paths):
        survivors.append(f"{count_text(len(paths) - len(shown))} more paths: --paths draws all")
    box = _Node(survivors, "survivor")
    bottom = tops[-1]
    parts = [_edges(node, tops, bottom) for node in nodes]
    parts += [_box(node, _left(node.column), tops[node.depth], _WIDTH) for node in nodes]
    parts.append(_box(box, _MARGIN, bottom, width))
    return "".join(parts), width, bottom + box.height


def _grow(
    trees: dict[tuple[str, ...], _Node], leak: Leak, path: Path, names: TypeNames, *, all_paths: bool
) -> None:
    cut = cut_steps(leak, path)
    node = trees.setdefault((path.root,), _Node(wrapped(path.root).split("\n"), "root"))
    for piece in fold_steps(path.steps, all_steps=all_paths):
        if piece.step is None:
            node = node.children.setdefault((piece.note,), _Node([piece.note], "folded"))
            continue
        step = piece.step
        edge, is_cut = wrapped(step.reference).split("\n"), piece.number in cut
        if step.is_survivor:
            if (edge, is_cut) not in node.ends:
                node.ends.append((edge, is_cut))
            return
        rows = wrapped(object_text(step, names)).split("\n")
        rows += [
            *(["holder"] if step.is_holder else []),
            *(wrapped(step.note).split("\n") if step.note else []),
        ]
        rows += wrapped(place(step.file, step.line)).split("\n") if step.file else []
        kind = "holder" if step.is_holder else "new" if step.is_new else "old"
        key = (step.reference, step.type_name)
        node = node.children.setdefault(key, _Node([row for row in rows if row], kind, edge, is_cut))


def _place(node: _Node, column: int, depth: int) -> int:
    """Give the tree its columns and rows; the first free column after it."""
    stack, free = [(node, depth)], column
    while stack:
        node, depth = stack.pop()
        node.depth, node.column = depth, free
        if not node.children:
            free += 1
        stack.extend((child, depth + 1) for child in reversed(node.children.values()))
    return max(free, column + 1)


def _walk(tree: _Node) -> Iterator[_Node]:
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children.values()))


def _tops(nodes: list[_Node], top: int) -> list[int]:
    """Where each row of boxes begins; the last is that of the survivors."""
    heights: dict[int, int] = {}
    labels: dict[int, int] = {}
    for node in nodes:
        heights[node.depth] = max(heights.get(node.depth, 0), node.height)
        labels[node.depth] = max(labels.get(node.depth, 0), len(node.edge))
        for edge, _ in node.ends:
            labels[-1] = max(labels.get(-1, 1), len(edge))
    tops = [top]
    for depth in range(len(heights)):
        following = labels.get(depth + 1, labels.get(-1, 1))
        tops.append(tops[-1] + heights[depth] + _EDGE + following * _ROW)
    return tops


def _left(column: int) -> int:
    return _MARGIN + column * (_WIDTH + _GAP)


def _edges(node: _Node, tops: list[int], bottom: int) -> str:
    start = (_left(node.column) + _WIDTH // 2, tops[node.depth] + node.height)
    parts = [
        _edge(start, (_left(child.column) + _WIDTH // 2, tops[child.depth]), child.edge, child.is_cut)
        for child in node.children.values()
    ]
    for edge, is_cut in node.ends:
        parts.append(_edge(start, (start[0], bottom), edge, is_cut))
    return "".join(parts)


def _edge(start: tuple[int, int], end: tuple[int, int], label: list[str], is_cut: bool) -> str:
    (x1, y1), (x2, y2) = start, end
    colour, dash, kind = ("#c00000", ' stroke-dasharray="6 4"', "cut") if is_cut else ("#555555", "", "ref")
    line = f"M{x1} {y1}V{y1 + 8}H{x2}V{y2 - 5}"
    stroke = f'stroke="{colour}" stroke-width="{2 if is_cut else 1.3}"{dash}'
    head = f"M{x2 - 4} {y2 - 7}L{x2} {y2}L{x2 + 4} {y2 - 7}Z"
    rows = [f"cut: {row}" if is_cut and not at else row for at, row in enumerate(label)]
    lowest = y2 - 7 - (len(rows) - 1) * _ROW
    text = "".join(
        _text(x2 + 7, lowest + at * _ROW, row, colour=colour, kind=kind) for at, row in enumerate(rows) if row
    )
    return (
        f'<path class="{kind}" d="{line}" fill="none" {stroke}/>'
        f'<path class="head {kind}" d="{head}" fill="{colour}"/>{text}'
    )


def _box(node: _Node, x: int, y: int, width: int) -> str:
    border = {"survivor": ("#a40000", 2.5), "holder": ("#7a4d00", 2)}.get(node.kind, ("#555555", 1))
    dash = ' stroke-dasharray="2 3"' if node.kind == "folded" else ""
    parts = [
        f'<rect class="box {node.kind}" x="{x}" y="{y}" width="{width}" height="{node.height}" rx="5"'
        f' fill="{_FILL[node.kind]}" stroke="{border[0]}" stroke-width="{border[1]}"{dash}/>'
    ]
    middle = x + width // 2
    for at, row in enumerate(node.rows):
        parts.append(_text(middle, y + _PAD + 8 + at * _ROW, row, anchor="middle", is_bold=row == "holder"))
    return "".join(parts)


def _text(
    x: int,
    y: int,
    text: str,
    *,
    colour: str = "#1c1f23",
    anchor: str = "",
    kind: str = "text",
    is_bold: bool = False,
) -> str:
    weight = ' font-weight="bold"' if is_bold else ""
    side = f' text-anchor="{anchor}"' if anchor else ""
    shown = escape(visible(text))
    return f'<text class="{kind}" x="{x}" y="{y}" fill="{colour}" {_FONT}{side}{weight}>{shown}</text>'
