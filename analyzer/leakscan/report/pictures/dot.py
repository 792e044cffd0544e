"""Retention paths as a Graphviz picture: common beginnings are drawn once, survivors where paths meet."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Final

from leakscan.analysis.results.findings import Findings, Leak, Path, Step
from leakscan.report.cuts import cut_steps
from leakscan.report.folding import fold_steps
from leakscan.report.names import TypeNames, object_text, place, type_names
from leakscan.report.text.lines import shortened
from leakscan.wording import count_text, size_text, visible

DEFAULT_LEAKS: Final = 5
DEFAULT_PATHS: Final = 4
"""Paths drawn for one leak; more make the picture wider than a page."""
_LABEL_WIDTH: Final = 26
_LONGEST_LABEL: Final = 120
_TITLE_WIDTH: Final = 84
_PAGE_COLUMNS: Final = 4

_LEGEND: Final = (
    "grey box: root; double border: holder; blue: born during the runs; red, bold border: survivor;"
    " dashed red: cut here"
)
_HEAD: Final = """digraph leak {
  graph [rankdir=TB, fontname="Helvetica,Arial,sans-serif", fontsize=12, labelloc=t, labeljust=l,
         nodesep=0.35, ranksep=0.45, pad=0.2, bgcolor=white];
  node [shape=box, style="rounded,filled", fillcolor=white, color="#555555", margin="0.12,0.06",
        fontname="Helvetica,Arial,sans-serif", fontsize=11];
  edge [color="#555555", fontname="Helvetica,Arial,sans-serif", fontsize=10, arrowsize=0.7];
"""
_ROOT: Final = 'style=filled, fillcolor="#dddddd"'
_HOLDER: Final = 'peripheries=2, penwidth=1.5, fillcolor="#fff0c2"'
_SURVIVOR: Final = 'style="filled", penwidth=2.5, color="#a40000", fillcolor="#ffdcdc"'
_NEW: Final = 'fillcolor="#e3eefb"'
_LEFT: Final = r"\l"
_FOLDED: Final = 'style="dotted,rounded"'
_CUT: Final = 'style=dashed, penwidth=2, color="#c00000", fontcolor="#c00000"'

_Key = tuple[str, ...]


@dataclass
class _Drawing:
    """Statements by the key of what they draw, in the order of drawing: a second path adds only its own."""

    nodes: dict[_Key, str] = field(default_factory=dict)
    edges: dict[tuple[_Key, _Key, str], str] = field(default_factory=dict)

    def node(self, key: _Key, label: str, attributes: str = "") -> None:
        if key not in self.nodes:
            style = f", {attributes}" if attributes else ""
            self.nodes[key] = f"[label={quoted(label)}{style}]"

    def edge(self, start: _Key, end: _Key, label: str, attributes: str = "") -> None:
        style = f", {attributes}" if attributes else ""
        # The blanks keep the text off the line.
        rows = "\n".join(f"  {row}  " for row in label.split("\n")) if label else ""
        self.edges.setdefault((start, end, label), f"[label={quoted(rows)}{style}]")


def findings_dot(findings: Findings, *, limit: int = DEFAULT_LEAKS, all_paths: bool = False) -> str:
    """The paths of the findings' leaks as DOT text; `limit` is the most leaks drawn, 0 draws all."""
    names = type_names(findings)
    drawn = findings.leaks[: limit or None]
    drawing = _Drawing()
    notes = []
    for leak in drawn:
        paths = (leak.path, *leak.also_held_by)
        shown = paths if all_paths else paths[:DEFAULT_PATHS]
        for path in shown:
            _draw_path(drawing, leak, path, names, all_steps=all_paths)
        if len(shown) < len(paths):
            more = count_text(len(paths) - len(shown))
            notes.append(f"{more} more paths to leak {leak.signature}: --paths draws all")
    if len(drawn) < len(findings.leaks):
        notes.append(f"{count_text(len(findings.leaks) - len(drawn))} more leaks: --limit 0 draws all")
    if not findings.leaks:
        drawing.node(("nothing",), "no path to draw: nothing is left that is not library noise")
    return _text(drawing, [findings.headline, *notes, _LEGEND] if findings.leaks else [findings.headline])


def quoted(text: str, *, row_end: str = "") -> str:
    """A DOT string that shows `text` as it is: nothing in it is an escape, an entity or markup.

    Rows are centred; each ends with `row_end` instead (`\\l`: set left) when that is given.
    """
    safe = "\n".join(visible(row) for row in text.split("\n"))
    safe = safe.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return '"' + safe.replace("\n", row_end or "\\n") + row_end + '"'


def _draw_path(drawing: _Drawing, leak: Leak, path: Path, names: TypeNames, *, all_steps: bool) -> None:
    cut = cut_steps(leak, path)
    start: _Key = (path.root_kind, path.root)
    drawing.node(start, wrapped(path.root), _ROOT)
    for piece in fold_steps(path.steps, all_steps=all_steps):
        if piece.step is None:
            key = (*start, piece.note)
            drawing.node(key, f"{piece.note}\n--paths draws all", _FOLDED)
            drawing.edge(start, key, "")
            start = key
            continue
        step = piece.step
        # Paths meet only where they are known to: at the survivors of one leak.
        key = ("survivor", leak.signature) if step.is_survivor else (*start, step.reference, step.type_name)
        drawing.node(key, _label(step, leak, names), _style(step))
        reference = wrapped(step.reference)
        if piece.number in cut:
            drawing.edge(start, key, f"cut: {reference}", _CUT)
        else:
            drawing.edge(start, key, reference)
        start = key


def _label(step: Step, leak: Leak, names: TypeNames) -> str:
    if step.is_survivor:
        what = names.leak(leak) if leak.name else object_text(step, names)
        count = f"{count_text(leak.count)} x {what}"
        return f"{wrapped(count)}\nsurvivors, {size_text(leak.exclusive_bytes)}\nleak {leak.signature}"
    rows = [wrapped(object_text(step, names))]
    if step.is_holder:
        rows.append("holder")
    if step.note:
        rows.append(wrapped(step.note))
    if step.file:
        rows.append(wrapped(place(step.file, step.line)))
    return "\n".join(rows)


def _style(step: Step) -> str:
    if step.is_survivor:
        return _SURVIVOR
    if step.is_holder:
        return _HOLDER
    return _NEW if step.is_new else ""


def wrapped(text: str) -> str:
    """`text` in short rows, broken after the signs that part a name, so that no box widens the picture."""
    rest = shortened(visible(text), _LONGEST_LABEL)
    rows = []
    while len(rest) > _LABEL_WIDTH:
        end = next((end for signs in (" />", "._,:") if (end := _last(rest, signs)) > _LABEL_WIDTH // 2), 0)
        end = end or _LABEL_WIDTH
        rows.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return "\n".join([*rows, rest])


def _last(text: str, signs: str) -> int:
    return 1 + max(text.rfind(sign, 0, _LABEL_WIDTH) for sign in signs)


def _text(drawing: _Drawing, title: list[str]) -> str:
    names = {key: f"n{number}" for number, key in enumerate(drawing.nodes)}
    label = "\n".join(row for text in title for row in textwrap.wrap(visible(text), _TITLE_WIDTH))
    rows = [_HEAD, f"  label={quoted(label, row_end=_LEFT)};\n"]
    rows += [f"  {names[key]} {statement};\n" for key, statement in drawing.nodes.items()]
    rows += [
        f"  {names[start]} -> {names[end]} {statement};\n"
        for (start, end, _), statement in drawing.edges.items()
    ]
    above: list[_Key] = []
    for roots, sinks in _page_rows(drawing):
        rows += [f"  {names[sink]} -> {names[root]} [style=invis];\n" for sink in above for root in roots]
        if len(roots) > 1:
            rows.append(f"  {{ rank=same; {' -> '.join(names[root] for root in roots)} [style=invis] }}\n")
        above = sinks
    return "".join([*rows, "}\n"])


def _page_rows(drawing: _Drawing) -> list[tuple[list[_Key], list[_Key]]]:
    """Roots and ends of what stands side by side, so that leaks which share nothing fill a page's width.

    Graphviz alone puts them all in one row; its own `pack` forgets the labels of references (2.43).
    """
    starts = {start for start, _, _ in drawing.edges}
    ends = {end for _, end, _ in drawing.edges}
    rows: list[tuple[list[_Key], list[_Key]]] = []
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


def _parts(drawing: _Drawing) -> list[list[_Key]]:
    """The nodes in groups that edges join, in the order of drawing."""
    leader = {key: key for key in drawing.nodes}

    def find(key: _Key) -> _Key:
        while leader[key] != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    for start, end, _ in drawing.edges:
        leader[find(end)] = find(start)
    parts: dict[_Key, list[_Key]] = {}
    for key in drawing.nodes:
        parts.setdefault(find(key), []).append(key)
    return list(parts.values())
