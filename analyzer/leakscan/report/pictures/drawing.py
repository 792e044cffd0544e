"""What a picture of retention paths shows: each object and each reference once, on however many paths."""

from __future__ import annotations

from collections.abc import Sequence
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
_LONGEST_LABEL: Final = 120

Key = tuple[str, ...]


@dataclass
class Box:
    """An object, or a root: lines of text, none of them wrapped yet, and what it is."""

    lines: list[str]
    kind: str
    """root, old, new, holder, survivor, folded"""


@dataclass
class Drawing:
    """Boxes by what they stand for, and arrows (start, end, reference) -> whether it is to be cut."""

    boxes: dict[Key, Box] = field(default_factory=dict)
    arrows: dict[tuple[Key, Key, str], bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def arrow(self, start: Key, end: Key, reference: str, *, is_cut: bool) -> None:
        key = (start, end, reference)
        self.arrows[key] = self.arrows.get(key, False) or is_cut


def drawn(findings: Findings, *, limit: int, all_paths: bool) -> Drawing:
    """The paths of the first `limit` leaks (0: all); what is left out stands in the notes."""
    leaks = findings.leaks[: limit or None]
    drawing = drawn_leaks(leaks, type_names(findings), all_paths=all_paths)
    if len(leaks) < len(findings.leaks):
        drawing.notes.append(
            f"{count_text(len(findings.leaks) - len(leaks))} more leaks: --limit 0 draws all"
        )
    if not findings.leaks:
        drawing.notes.append("no path to draw: nothing is left that is not library noise")
    return drawing


def drawn_leaks(leaks: Sequence[Leak], names: TypeNames, *, all_paths: bool) -> Drawing:
    """These leaks. A survivor of one that lies on the path of another is the same box."""
    drawing = Drawing()
    survivors = _survivors(leaks)
    for leak in leaks:
        paths = (leak.path, *leak.also_held_by)
        shown = paths if all_paths else paths[:DEFAULT_PATHS]
        for path in shown:
            _draw(drawing, leak, path, names, survivors, all_paths=all_paths)
        if len(shown) < len(paths):
            more = count_text(len(paths) - len(shown))
            drawing.notes.append(f"{more} more paths to leak {visible(leak.signature)}: --paths draws all")
    return drawing


def _survivors(leaks: Sequence[Leak]) -> dict[int, Key]:
    found: dict[int, Key] = {}
    for leak in leaks:
        for path in (leak.path, *leak.also_held_by):
            for step in path.steps:
                if step.is_survivor and step.object:
                    found.setdefault(step.object, ("survivor", leak.signature))
    return found


def _draw(
    drawing: Drawing,
    leak: Leak,
    path: Path,
    names: TypeNames,
    survivors: dict[int, Key],
    *,
    all_paths: bool,
) -> None:
    cut = cut_steps(leak, path)
    start: Key = ("root", path.root_kind, path.root)
    drawing.boxes.setdefault(start, Box([visible(path.root)], "root"))
    for piece in fold_steps(path.steps, all_steps=all_paths):
        step = piece.step
        if step is None:
            end: Key = (*start, piece.note)
            drawing.boxes.setdefault(end, Box([piece.note], "folded"))
            drawing.arrow(start, end, "", is_cut=False)
            start = end
            continue
        end = _key(step, leak, start, survivors)
        box = _box(step, leak, names)
        known = drawing.boxes.setdefault(end, box)
        if box.kind == "survivor":
            drawing.boxes[end] = box
        elif box.kind == "holder" and known.kind == "old":
            known.kind = "holder"
        drawing.arrow(start, end, visible(step.reference), is_cut=piece.number in cut)
        start = end


def _key(step: Step, leak: Leak, start: Key, survivors: dict[int, Key]) -> Key:
    if step.is_survivor:
        return ("survivor", leak.signature)
    if step.object:
        return survivors.get(step.object, ("object", str(step.object)))
    return (*start, step.reference, step.type_name)


def _box(step: Step, leak: Leak, names: TypeNames) -> Box:
    if step.is_survivor:
        what = names.leak(leak) if leak.name else object_text(step, names)
        size = f"survivors, {size_text(leak.exclusive_bytes)}"
        return Box(
            [f"{count_text(leak.count)} x {what}", size, f"leak {visible(leak.signature)}"], "survivor"
        )
    kind = "holder" if step.is_holder else "new" if step.is_new else "old"
    lines = [object_text(step, names), "holder" if step.is_holder else "", visible(step.note)]
    return Box([line for line in (*lines, place(step.file, step.line)) if line], kind)


def wrapped(text: str, width: int) -> list[str]:
    """`text` in rows of `width`, broken after the signs that part a name."""
    rest = shortened(visible(text), max(_LONGEST_LABEL, width))
    rows = []
    while len(rest) > width:
        end = next((end for signs in (" />", "._,:") if (end := _last(rest, signs, width)) > width // 2), 0)
        end = end or width
        rows.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*rows, rest]


def _last(text: str, signs: str, width: int) -> int:
    return 1 + max(text.rfind(sign, 0, width) for sign in signs)
