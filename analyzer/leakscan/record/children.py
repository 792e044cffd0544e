"""The child processes that this process has now."""

from __future__ import annotations

import os


def child_processes() -> dict[int, str]:
    """PID to name of each child, also of those that ended unwaited for. Empty where Linux does not tell."""
    found = {}
    try:
        threads = os.listdir("/proc/self/task")
    except OSError:
        return {}
    for thread in threads:
        for pid in _children_of(thread):
            name = _name_of(pid)
            if name:
                found[int(pid)] = name
    return found


def _children_of(thread: str) -> list[str]:
    try:
        with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
            return file.read().split()
    except OSError:  # the thread has ended, or this kernel does not tell
        return []


def _name_of(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    name, _, rest = text.partition("(")[2].rpartition(")")
    return f"{name} (ended, not waited for)" if rest.split()[:1] == ["Z"] else name
