"""Lines of styled text: what the reporters build, before anyone knows whether there will be colour."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Final

STYLES: Final = ("", "title", "bad", "good", "doubt", "faint", "mark")
"""Every style adds to words that say the same without it."""

# A number stays with its thousands and its unit: `1 020`, `41.2 MB`.
_INSIDE_A_NUMBER: Final = re.compile(r"(?<=\d) (?=\d{3}\b|[kMGTPE]?B\b)")
_GLUE: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """A line of these parts; plain strings have no style."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def plain(lines: list[Line]) -> str:
    """The lines without style, each ended by a newline, without trailing blanks."""
    return "".join("".join(span.text for span in stripped(spans)) + "\n" for spans in lines)


def stripped(spans: Line) -> Line:
    """The line without the blanks at its end."""
    kept = list(spans)
    while kept and not kept[-1].text.strip(" "):
        kept.pop()
    if kept:
        kept[-1] = Span(kept[-1].text.rstrip(" "), kept[-1].style)
    return tuple(kept)


def wrapped(text: str, width: int, *, first: str = "", indent: str = "", style: str = "") -> list[Line]:
    """`text` after `first`, broken at blanks to `width`; the lines that follow begin with `indent`.

    A word longer than a line is broken, never lost.
    """
    rows = textwrap.wrap(
        _INSIDE_A_NUMBER.sub(_GLUE, text),
        max(width, len(indent) + 8),
        initial_indent=" " * len(first),
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    rows = [row.replace(_GLUE, " ") for row in rows]
    if not rows:
        return [line(first)] if first else []
    head = line(first, Span(rows[0][len(first) :], style))
    return [head, *(line(indent, Span(row[len(indent) :], style)) for row in rows[1:])]


def shortened(text: str, width: int) -> str:
    """`text` in `width` characters: the middle goes, the two ends stay."""
    if len(text) <= width:
        return text
    if width <= 5:
        return text[:width]
    tail = (width - 3) * 2 // 3
    return f"{text[: width - 3 - tail]}...{text[-tail:]}"


def shortest_place(place: str) -> str:
    """The least that `shortened_place` keeps whole."""
    folders, slash, file = place.rpartition("/")
    return f".../{file}" if folders and slash else place


def shortened_place(place: str, width: int) -> str:
    """`file:line` in `width` characters: the outer folders go first, the file's name never."""
    if len(place) <= width:
        return place
    parts = place.split("/")
    for kept in range(len(parts) - 1, 0, -1):
        shorter = ".../" + "/".join(parts[-kept:])
        if len(shorter) <= width:
            return shorter
    return shortened(parts[-1], width)


def shortened_name(name: str, width: int) -> str:
    """A dotted name in `width` characters: no more inner packages go than must, then the middle of it."""
    if len(name) <= width:
        return name
    first, _, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    parts = rest.split(".")
    for kept in range(len(parts) - 1, 0, -1):
        shorter = f"{first}...{'.'.join(parts[-kept:])}"
        if last and len(shorter) + 1 <= width:
            return shorter
    if last and len(last) + 3 <= width:
        return f"...{last}"
    return shortened(last or name, width)


def row_lines(lead: Span, subject: Span, text: str, where: str, *, indent: str, width: int) -> list[Line]:
    """One line, or more when subject, text and place in the source do not fit beside each other."""
    under = indent + " " * len(lead.text)
    room = width - len(under)
    if len(subject.text) > room:
        lines = [
            line(indent, lead),
            *wrapped(subject.text, width, first=indent + "  ", indent=indent + "    "),
        ]
        used = width
    else:
        lines = [line(indent, lead, subject)]
        used = len(subject.text)
    if used + len(text) <= room:
        lines[-1] = line(*lines[-1], text)
        used += len(text)
    else:
        lines += wrapped(text.strip(), width, first=under, indent=under)
        used = width
    if where and used + 3 + len(where) <= room:
        lines[-1] = line(*lines[-1], "   ", Span(where, "faint"))
    elif where:
        lines.append(line(under, Span(shortened_place(where, room), "faint")))
    return lines
