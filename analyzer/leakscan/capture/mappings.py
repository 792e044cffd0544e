"""Which files a process has mapped, and how much of each is in memory: read from outside."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

_LISTED = 200


def file_mappings(pid: int) -> dict[str, int]:
    """Resident bytes by the path of what is mapped, the biggest; {} when it cannot be read."""
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
    return dict(found.most_common(_LISTED))
