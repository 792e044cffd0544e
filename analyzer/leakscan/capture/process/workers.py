"""The Python processes below one: the workers of a supervisor, and theirs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_HELPERS: Final = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""Processes of the standard library that do none of the program's work."""


def workers_below(pid: int, *, proc: Path = _PROC) -> list[int]:
    """Every process below it that runs Python, by number; helpers of `multiprocessing` are left out."""
    found, waiting, seen = [], [pid], {pid}
    while waiting:
        for child in _children(waiting.pop(), proc):
            if child in seen:
                continue
            seen.add(child)
            waiting.append(child)
            if _is_python(child, proc) and not _is_helper(child, proc):
                found.append(child)
    return sorted(found)


def command_of(pid: int, *, proc: Path = _PROC) -> str:
    """The first words of its command line; "" when it has ended."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    program = [word.rpartition("/")[2] for word in words[:1]]
    return " ".join(" ".join([*program, *words[1:4]]).split())[:120]


def _children(pid: int, proc: Path) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in sorted(os.listdir(proc / str(pid) / "task")):
            with contextlib.suppress(OSError, ValueError):
                text = (proc / str(pid) / "task" / thread / "children").read_text()
                found += [int(word) for word in text.split()]
    return found


def _is_python(pid: int, proc: Path) -> bool:
    folder = proc / str(pid)
    with contextlib.suppress(OSError):
        if "python" in os.readlink(folder / "exe").rpartition("/")[2]:
            return True
        return "libpython3" in (folder / "maps").read_text(errors="replace")
    return False


def _is_helper(pid: int, proc: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(name in (proc / str(pid) / "cmdline").read_bytes() for name in _HELPERS)
    return False
