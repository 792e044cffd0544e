"""Which files a process has mapped, and how much of each is in memory: read from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_LISTED = 10
_LEAST = 65_536


def file_mappings(pid: int) -> dict[str, int]:
    """Resident bytes by the path of what is mapped; {} when it cannot be read."""
    try:
        text = (Path("/proc") / str(pid) / "smaps").read_text(errors="replace")
    except OSError:
        return {}
    found: Counter[str] = Counter()
    path = ""
    for line in text.splitlines():
        words = line.split(None, 5)
        if not words[0].endswith(":"):
            path = words[5] if len(words) == 6 and words[5].startswith("/") else ""
        elif path and words[0] in ("Rss:", "Swap:"):
            found[path] += int(words[1]) * 1024
    return dict(found)


def grown_mappings(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """(path, bytes before, bytes after) of those that grew by 64 KiB and more, the most first."""
    grown = [(path, before.get(path, 0), size) for path, size in after.items()]
    grown = [row for row in grown if row[2] - row[1] >= _LEAST]
    return sorted(grown, key=lambda row: (row[1] - row[2], row[0]))[:_LISTED]
