"""Retention paths as an SVG picture of our own: nothing to install, fit for a page with a strict CSP.

An indented tree, one object in a row and its reference above it, so that a picture of one leak or of twenty
is as wide as a page and the eye goes down from the root over the holder to the survivors. An object that is
reached once more is not drawn again: a line at the right leads to it. No layout is searched for, so the same
findings give the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Final

from leakscan.analysis.results.findings import Findings, Leak
from leakscan.report.names import TypeNames
from leakscan.report.pictures.drawing import DEFAULT_LEAKS, Box, Drawing, Key, drawn, drawn_leaks, wrapped
from leakscan.wording import visible

_COLUMNS: Final = 46
"""Characters of a row of text."""
_CHARACTER: Final = 6.7
"""Pixels of one at 12 pixels, on the average; boxes have room to spare."""
_INDENT: Final = 26
_DEEPEST: Final = 12
"""Levels that are indented; deeper ones stand below each other."""
_ROW: Final = 15
_PAD: Final = 6
_GAP: Final = 9
_MARGIN: Final = 12
_LANE: Final = 14
_FILL: Final = {
    "root": "#dddddd",
    "old": "#ffffff",
    "new": "#e3eefb",
    "holder": "#fff0c2",
    "survivor": "#ffdcdc",
    "folded": "#ffffff",
    "again": "#ffffff",
}
_FONT: Final = 'font-family="Helvetica,Arial,sans-serif" font-size="12"'


@dataclass
class _Placed:
    """A box with its place; `above` is the reference that leads to it."""

    box: Box
    rows: list[str]
    depth: int
    parent: _Placed | None
    above: list[str]
    is_cut: bool
    leads_to: Key | None = None
    """set where an object that stands elsewhere is reached once more"""
    x: int = 0
    y: int = 0
    width: int = 0

    @property
    def height(self) -> int:
        return len(self.rows) * _ROW + 2 * _PAD


@dataclass
class _Layout:
    rows: list[_Placed] = field(default_factory=list)
    at: dict[Key, _Placed] = field(default_factory=dict)


def findings_svg(findings: Findings, *, limit: int = DEFAULT_LEAKS, all_paths: bool = False) -> str:
    """The paths of the leaks as one SVG document; `limit` 0 draws all."""
    return _picture(drawn(findings, limit=limit, all_paths=all_paths), findings.headline)


def leak_svg(leak: Leak, names: TypeNames) -> str:
    """One leak as an SVG element to stand inside a page."""
    return _picture(drawn_leaks((leak,), names, all_paths=False), f"paths to leak {leak.signature}")


def _picture(drawing: Drawing, title: str) -> str:
    layout = _laid_out(drawing)
    bottom = _MARGIN
    for row in layout.rows:
        row.x = _MARGIN + min(row.depth, _DEEPEST) * _INDENT
        # A new root stands apart from what is above it.
        row.y = bottom + _GAP + len(row.above) * _ROW + (_GAP if row.depth == 0 and bottom > _MARGIN else 0)
        longest = max(map(len, row.rows), default=0)
        row.width = min(int(longest * _CHARACTER), int(_COLUMNS * _CHARACTER)) + 2 * _PAD + 8
        bottom = row.y + row.height
    right = max((max(row.x + row.width, _label_end(row)) for row in layout.rows), default=360)
    lanes = list(dict.fromkeys(row.leads_to for row in layout.rows if row.leads_to is not None))
    parts = [_tree_line(row) for row in layout.rows]
    for number, key in enumerate(lanes):
        x = right + (number + 1) * _LANE
        parts += [_lane(row, layout.at[key], x) for row in layout.rows if row.leads_to == key]
    parts += [_boxed(row) for row in layout.rows]
    for note in drawing.notes:
        for text in wrapped(note, 2 * _COLUMNS):
            bottom += _ROW + 4
            parts.append(_text(_MARGIN, bottom, text))
    width = right + (len(lanes) + 1) * _LANE + _MARGIN
    return _document("".join(parts), max(width, 360), bottom + _MARGIN, title)


def _label_end(row: _Placed) -> int:
    return row.x + 12 + int(max((len(text) for text in row.above), default=0) * _CHARACTER)


def _laid_out(drawing: Drawing) -> _Layout:
    """Every box below the first that leads to it, in the order in which the paths were drawn."""
    below: dict[Key, list[tuple[Key, str, bool]]] = {}
    led_to = set()
    for (start, end, reference), is_cut in drawing.arrows.items():
        below.setdefault(start, []).append((end, reference, is_cut))
        led_to.add(end)
    layout = _Layout()
    roots = [key for key in drawing.boxes if key not in led_to] or list(drawing.boxes)[:1]
    stack: list[tuple[Key, str, bool, _Placed | None]] = [(key, "", False, None) for key in reversed(roots)]
    while stack:
        key, reference, is_cut, parent = stack.pop()
        above = wrapped(("cut: " if is_cut else "") + reference, _COLUMNS) if reference else []
        depth = 0 if parent is None else parent.depth + 1
        box = drawing.boxes[key]
        if key in layout.at:
            again = Box([f"the same {box.lines[0]}"], "again")
            layout.rows.append(_placed(again, depth, parent, above, is_cut, key))
            continue
        row = _placed(box, depth, parent, above, is_cut, None)
        layout.rows.append(row)
        layout.at[key] = row
        stack += [(end, label, cut, row) for end, label, cut in reversed(below.get(key, []))]
    return layout


def _placed(
    box: Box, depth: int, parent: _Placed | None, above: list[str], is_cut: bool, leads_to: Key | None
) -> _Placed:
    rows = [row for line in box.lines for row in wrapped(line, _COLUMNS)]
    return _Placed(box, rows, depth, parent, above, is_cut, leads_to)


def _document(content: str, width: int, height: int, title: str) -> str:
    name = escape(visible(title)[:300], quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="paths" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img" aria-label="{name}">'
        f'<title>{name}</title><rect class="paper" width="100%" height="100%" fill="#ffffff"/>'
        f"{content}</svg>\n"
    )


def _tree_line(row: _Placed) -> str:
    parent = row.parent
    if parent is None:
        return ""
    x1, y1 = parent.x + 10, parent.y + parent.height
    y2 = row.y + row.height // 2
    x2 = max(row.x, x1 + 8)
    return _stroke(f"M{x1} {y1}V{y2}H{x2 - 5}", row.is_cut) + _head(x2, y2, 1, row.is_cut)


def _lane(row: _Placed, to: _Placed, x: int) -> str:
    y1, y2, end = row.y + row.height // 2, to.y + to.height // 2, to.x + to.width
    path = f"M{row.x + row.width} {y1}H{x}V{y2}H{end + 5}"
    return _stroke(path, is_cut=False) + _head(end, y2, -1, False)


def _stroke(path: str, is_cut: bool) -> str:
    colour, dash, kind = ("#c00000", ' stroke-dasharray="6 4"', "cut") if is_cut else ("#555555", "", "ref")
    width = 2 if is_cut else 1.3
    return f'<path class="{kind}" d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'


def _head(x: int, y: int, direction: int, is_cut: bool) -> str:
    colour, kind = ("#c00000", "cut") if is_cut else ("#555555", "ref")
    back = x - 7 * direction
    return f'<path class="head {kind}" d="M{back} {y - 4}L{x} {y}L{back} {y + 4}Z" fill="{colour}"/>'


def _boxed(row: _Placed) -> str:
    kind = row.box.kind
    border = {"survivor": ("#a40000", 2.5), "holder": ("#7a4d00", 2)}.get(kind, ("#555555", 1))
    dash = ' stroke-dasharray="2 3"' if kind in ("folded", "again") else ""
    colour = "#c00000" if row.is_cut else "#555555"
    label = "".join(
        _text(
            row.x + 8,
            row.y - 5 - (len(row.above) - 1 - at) * _ROW,
            text,
            colour=colour,
            kind="cut" if row.is_cut else "ref",
        )
        for at, text in enumerate(row.above)
    )
    parts = [
        label,
        f'<rect class="box {"folded" if kind == "again" else kind}" x="{row.x}" y="{row.y}"'
        f' width="{row.width}" height="{row.height}" rx="5"'
        f' fill="{_FILL[kind]}" stroke="{border[0]}" stroke-width="{border[1]}"{dash}/>',
    ]
    for at, text in enumerate(row.rows):
        is_bold = text == "holder" or (kind == "survivor" and at == 0)
        parts.append(_text(row.x + _PAD + 3, row.y + _PAD + 11 + at * _ROW, text, is_bold=is_bold))
    return "".join(parts)


def _text(
    x: int, y: int, text: str, *, colour: str = "#1c1f23", kind: str = "text", is_bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if is_bold else ""
    shown = escape(visible(text))
    return f'<text class="{kind}" x="{x}" y="{y}" fill="{colour}" {_FONT}{weight}>{shown}</text>'
