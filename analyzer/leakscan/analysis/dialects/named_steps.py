"""How an attribute of Python and a property of JavaScript are written as a step of a pattern."""

from __future__ import annotations

from leakscan.analysis.dialects.pattern_text import quoted
from leakscan.analysis.dialects.segments_v8 import property_text


def attribute_step(label: str) -> str:
    """An attribute; what `setattr` made of no identifier is written like a key."""
    return (
        f".{label}" if label.isidentifier() or (label[:1], label[-1:]) == ("<", ">") else f"[{quoted(label)}]"
    )


def property_step(label: str) -> str:
    """A property, or one of the engine's own slots."""
    if label.startswith("[["):
        return f".{label}"
    text = property_text(label)
    return f"[{quoted(label)}]" if text.startswith("['") else text
