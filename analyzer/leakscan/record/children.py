"""The child processes that this process has now."""

from __future__ import annotations

import os


def child_processes() -> dict[int, str]:
    """PID to name of each child, also of those that ended unwaited for. Empty where Linux does not tell."""
    found = {}
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                for pid in file.read().split():
                    name = _name_of(pid)
                    if name:
                        found[int(pid)] = name
    except OSError:
        pass
    return found


def _name_of(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    name, _, rest = text.partition("(")[2].rpartition(")")
    return f"{name} (ended, not waited for)" if rest.split()[:1] == ["Z"] else name
