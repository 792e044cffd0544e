"""Retention paths as a Mermaid flowchart: the picture that trackers and editors draw from Markdown itself."""

from __future__ import annotations

import re
from typing import Final

from leakscan.analysis.results.findings import Findings
from leakscan.report.pictures.drawing import Box, drawn, wrapped
from leakscan.wording import visible

_LABEL_WIDTH: Final = 40
_MOST_BOXES: Final = 150
"""What one block may have: a tracker draws no more than a few hundred."""
_ACTS: Final = re.compile(r"[^A-Za-z0-9 ._,-]")
_CLASSES: Final = {
    "root": "fill:#dddddd,stroke:#555555,color:#1c1f23",
    "old": "fill:#ffffff,stroke:#555555,color:#1c1f23",
    "new": "fill:#e3eefb,stroke:#555555,color:#1c1f23",
    "holder": "fill:#fff0c2,stroke:#7a4d00,stroke-width:3px,color:#1c1f23",
    "survivor": "fill:#ffdcdc,stroke:#a40000,stroke-width:3px,color:#1c1f23",
    "folded": "fill:#ffffff,stroke:#555555,stroke-dasharray:2 3,color:#1c1f23",
}


def findings_mermaid(findings: Findings, *, limit: int) -> str:
    """The paths of the first `limit` leaks as a flowchart; "" when there are none, or too many boxes."""
    if not findings.leaks:
        return ""
    drawing = drawn(findings, limit=limit, all_paths=False)
    if len(drawing.boxes) > _MOST_BOXES:
        return ""
    names = {key: f"n{number}" for number, key in enumerate(drawing.boxes)}
    rows = ["flowchart TD"]
    rows += [f'  {names[key]}["{_label(box)}"]:::{box.kind}' for key, box in drawing.boxes.items()]
    for (start, end, reference), is_cut in drawing.arrows.items():
        label = "<br>".join(map(_inert, wrapped(("cut " if is_cut else "") + reference, _LABEL_WIDTH)))
        arrow = "-.->" if is_cut else "-->"
        told = f'|"{label}"|' if label else ""
        rows.append(f"  {names[start]} {arrow}{told} {names[end]}")
    used = {box.kind for box in drawing.boxes.values()}
    rows += [f"  classDef {kind} {style}" for kind, style in _CLASSES.items() if kind in used]
    cuts = [str(number) for number, is_cut in enumerate(drawing.arrows.values()) if is_cut]
    if cuts:
        rows.append(f"  linkStyle {','.join(cuts)} stroke:#c00000,stroke-width:2px")
    return "\n".join(rows)


def _label(box: Box) -> str:
    return "<br>".join(_inert(row) for line in box.lines for row in wrapped(line, _LABEL_WIDTH))


def _inert(text: str) -> str:
    """`text` with every sign that could mean something to Mermaid, Markdown or HTML as a number."""
    return _ACTS.sub(lambda sign: f"#{ord(sign.group())};", visible(text)) or " "
