"""Retention paths as a Graphviz picture: common beginnings are drawn once, survivors where paths meet."""

from __future__ import annotations

import textwrap
from typing import Final

from leakscan.analysis.results.findings import Findings
from leakscan.report.pictures.drawing import DEFAULT_LEAKS, Box, Drawing, Key, drawn, wrapped
from leakscan.wording import visible

_LABEL_WIDTH: Final = 26
_TITLE_WIDTH: Final = 84
_PAGE_COLUMNS: Final = 4

_LEGEND: Final = (
    "grey box: root; double border: holder; blue: born during the runs; red, bold border: survivor;"
    " dashed red: cut here"
)
_HEAD: Final = """digraph leak {
  graph [rankdir=DIRECTION, fontname="Helvetica,Arial,sans-serif", fontsize=12, labelloc=t, labeljust=l,
         nodesep=0.35, ranksep=0.45, pad=0.2, bgcolor=white];
  node [shape=box, style="rounded,filled", fillcolor=white, color="#555555", margin="0.12,0.06",
        fontname="Helvetica,Arial,sans-serif", fontsize=11];
  edge [color="#555555", fontname="Helvetica,Arial,sans-serif", fontsize=10, arrowsize=0.7];
"""
_STYLES: Final = {
    "root": 'style=filled, fillcolor="#dddddd"',
    "holder": 'peripheries=2, penwidth=1.5, fillcolor="#fff0c2"',
    "survivor": 'style="filled", penwidth=2.5, color="#a40000", fillcolor="#ffdcdc"',
    "new": 'fillcolor="#e3eefb"',
    "folded": 'style="dotted,rounded"',
}
_LEFT: Final = r"\l"
_CUT: Final = 'style=dashed, penwidth=2, color="#c00000", fontcolor="#c00000"'


def findings_dot(findings: Findings, *, limit: int = DEFAULT_LEAKS, all_paths: bool = False) -> str:
    """The paths of the findings' leaks as DOT text; `limit` is the most leaks drawn, 0 draws all."""
    drawing = drawn(findings, limit=limit, all_paths=all_paths)
    if not findings.leaks:
        drawing.boxes["nothing",] = Box([drawing.notes.pop()], "old")
        return _text(drawing, [findings.headline])
    return _text(drawing, [findings.headline, *drawing.notes, _LEGEND])


def quoted(text: str, *, row_end: str = "") -> str:
    """A DOT string that shows `text` as it is: nothing in it is an escape, an entity or markup.

    Rows are centred; each ends with `row_end` instead (`\\l`: set left) when that is given.
    """
    safe = "\n".join(visible(row) for row in text.split("\n"))
    safe = safe.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return '"' + safe.replace("\n", row_end or "\\n") + row_end + '"'


def _node(box: Box) -> str:
    lines = [*box.lines, "--paths draws all"] if box.kind == "folded" else box.lines
    label = "\n".join(row for line in lines for row in wrapped(line, _LABEL_WIDTH))
    style = f", {_STYLES[box.kind]}" if box.kind in _STYLES else ""
    return f"[label={quoted(label)}{style}]"


def _edge(reference: str, is_cut: bool) -> str:
    label = "\n".join(wrapped(reference, _LABEL_WIDTH)) if reference else ""
    if is_cut:
        label = f"cut: {label}"
    # The blanks keep the text off the line.
    rows = "\n".join(f"  {row}  " for row in label.split("\n")) if label else ""
    return f"[label={quoted(rows)}{f', {_CUT}' if is_cut else ''}]"


def _text(drawing: Drawing, title: list[str]) -> str:
    names = {key: f"n{number}" for number, key in enumerate(drawing.boxes)}
    label = "\n".join(row for text in title for row in textwrap.wrap(visible(text), _TITLE_WIDTH))
    # What hangs on one object in many places is read from left to right, a row each: it fits a page's width.
    is_wide = any(_width(drawing, part) > _PAGE_COLUMNS for part in _parts(drawing))
    head = _HEAD.replace("DIRECTION", "LR" if is_wide else "TB")
    rows = [head, f"  label={quoted(label, row_end=_LEFT)};\n"]
    rows += [f"  {names[key]} {_node(box)};\n" for key, box in drawing.boxes.items()]
    rows += [
        f"  {names[start]} -> {names[end]} {_edge(reference, is_cut)};\n"
        for (start, end, reference), is_cut in drawing.arrows.items()
    ]
    above: list[Key] = []
    for roots, sinks in _page_rows(drawing) if not is_wide else []:
        rows += [f"  {names[sink]} -> {names[root]} [style=invis];\n" for sink in above for root in roots]
        if len(roots) > 1:
            rows.append(f"  {{ rank=same; {' -> '.join(names[root] for root in roots)} [style=invis] }}\n")
        above = sinks
    return "".join([*rows, "}\n"])


def _width(drawing: Drawing, part: list[Key]) -> int:
    starts = {start for start, _, _ in drawing.arrows}
    ends = {end for _, end, _ in drawing.arrows}
    return max(sum(key not in ends for key in part), sum(key not in starts for key in part))


def _page_rows(drawing: Drawing) -> list[tuple[list[Key], list[Key]]]:
    """Roots and ends of what stands side by side, so that leaks which share nothing fill a page's width.

    Graphviz alone puts them all in one row; its own `pack` forgets the labels of references (2.43).
    """
    starts = {start for start, _, _ in drawing.arrows}
    ends = {end for _, end, _ in drawing.arrows}
    rows: list[tuple[list[Key], list[Key]]] = []
    used = _PAGE_COLUMNS
    for part in _parts(drawing):
        roots = [key for key in part if key not in ends]
        sinks = [key for key in part if key not in starts]
        width = max(len(roots), len(sinks))
        if used + width > _PAGE_COLUMNS:
            rows.append(([], []))
            used = 0
        used += width
        rows[-1][0].extend(roots)
        rows[-1][1].extend(sinks)
    return rows


def _parts(drawing: Drawing) -> list[list[Key]]:
    """The nodes in groups that edges join, in the order of drawing."""
    leader = {key: key for key in drawing.boxes}

    def find(key: Key) -> Key:
        while leader[key] != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    for start, end, _ in drawing.arrows:
        leader[find(end)] = find(start)
    parts: dict[Key, list[Key]] = {}
    for key in drawing.boxes:
        parts.setdefault(find(key), []).append(key)
    return list(parts.values())
