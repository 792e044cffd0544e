"""How numbers and names are written, the same in the headline and in every report."""

from __future__ import annotations

from typing import Final

UNITS: Final = ("kB", "MB", "GB", "TB", "PB", "EB")


def visible(text: str) -> str:
    """`text` on one line, with every character that cannot be seen written as its escape.

    Not printable are controls, format and bidi marks, surrogates, private and unassigned characters, and all
    blanks but the plain one: whatever could move the cursor, colour the terminal or reorder the text.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def size_text(size_bytes: int | float) -> str:
    """Three digits and a decimal unit: `712 B`, `12.4 kB`, `41.2 MB`."""
    if abs(size_bytes) < 999.5:
        return f"{size_bytes:.0f} B"
    power = 1
    while abs(size_bytes) / 1000**power >= 999.5 and power < len(UNITS):
        power += 1
    return f"{three_digits(size_bytes / 1000**power)} {UNITS[power - 1]}"


def three_digits(value: float) -> str:
    """`2.06`, `41.2`, `206`: as many decimals as leave three digits."""
    magnitude = abs(value)
    if magnitude < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if magnitude < 99.95 else f"{value:.0f}"


def count_text(count: int) -> str:
    """Thousands apart: `1 020`."""
    return f"{count:,}".replace(",", " ")


def rate_text(rate: float) -> str:
    """Objects per run: `1`, `0.2`, `50`, `1 020`, never more than two decimals."""
    if rate == int(rate):
        return count_text(int(rate))
    return f"{rate:.2f}".rstrip("0").rstrip(".") if abs(rate) < 1000 else count_text(round(rate))
