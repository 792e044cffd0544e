"""The line that Linux keeps about a process or a thread: `stat` in its folder of /proc (proc(5))."""

from __future__ import annotations

from pathlib import Path


def stat_fields(folder: Path) -> list[str]:
    """The fields behind its name, the state first; OSError when it is gone. A name may be any bytes."""
    return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
