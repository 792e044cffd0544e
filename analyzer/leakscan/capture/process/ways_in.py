"""The ways to have a process open a library: by a borrowed thread, by Python's own, by a debugger."""

from __future__ import annotations

import dataclasses
import errno
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from leakscan.capture.process.borrow import Call, NotNow, borrow, candidates
from leakscan.capture.process.memory_map import Mapping, Memory, mappings_of
from leakscan.capture.process.private_folder import PrivateFolder
from leakscan.capture.process.python_inside import CLibrary, Python, find_c_library, find_python, other_code
from leakscan.capture.process.refusals import check_may_attach, not_permitted
from leakscan.capture.process.waits import what_threads_do
from leakscan.errors import AttachError, UnsupportedInterpreter, UsageError

WAYS: Final = ("auto", "ptrace", "remote-exec", "gdb", "lldb")
_PAUSE_SECONDS: Final = 0.002
_TRIES_IN_PYTHON: Final = 10
"""Before the code of other libraries is looked at, too."""
_DEBUGGER_SECONDS: Final = 60.0


class Way(Protocol):
    """`python` is the target's version. `open_library` returns when the target is on its way to open it."""

    python: str

    def open_library(self, folder: PrivateFolder, *, until: float) -> None: ...
    def close(self) -> None: ...


def choose_way(pid: int, *, via: str, library: Path) -> Way:
    """The way that `--via` names, or the first that works on this machine. Touches nothing yet."""
    if via not in WAYS:
        raise UsageError(f"there is no way {via!r} into a process", hint=f"one of {', '.join(WAYS)}")
    try:
        mappings = mappings_of(pid)
        memory = Memory(pid)
    except PermissionError:
        raise not_permitted(pid) from None
    except OSError:
        check_may_attach(pid)
        raise AttachError(f"process {pid} ended before it could be looked at") from None
    try:
        python = find_python(pid, mappings, memory)
        if via in ("gdb", "lldb"):
            memory.close()
            return ByDebugger(pid, python, via)
        if via == "remote-exec" or (via == "auto" and platform.machine() != "x86_64"):
            memory.close()
            return ByRemoteExec(pid, python)
        return ByBorrowedThread(pid, python, find_c_library(pid, mappings, memory), memory, library)
    except BaseException:
        memory.close()
        raise


class ByBorrowedThread:
    """The way in where there is no other: one thread is stopped and made to load the library (ptrace)."""

    def __init__(self, pid: int, python: Python, libc: CLibrary, memory: Memory, library: Path) -> None:
        self.python = python.text
        self._pid, self._python, self._libc, self._memory = pid, python, libc, memory
        _check_c_library(pid, libc, library)

    def close(self) -> None:
        self._memory.close()

    def open_library(self, folder: PrivateFolder, *, until: float) -> None:
        call = Call(
            function=self._libc.open_library,
            text=folder.library.encode(),
            argument=self._libc.open_flags,
            sigreturn=self._libc.sigreturn,
            code=(self._python.code,),
        )
        outcome: list[BaseException | None] = []
        # On a thread of its own: whatever happens, the kernel lets go of what a thread holds when it ends.
        worker = threading.Thread(target=lambda: outcome.append(self._try_until(call, until)), daemon=True)
        worker.start()
        worker.join()
        if outcome[0] is not None:
            raise outcome[0]

    def _try_until(self, call: Call, until: float) -> BaseException | None:
        try:
            tries = 0
            while not self._try_each(call):
                tries += 1
                if tries == _TRIES_IN_PYTHON:
                    more = other_code(mappings_of(self._pid), self._memory)
                    call = dataclasses.replace(call, code=(self._python.code, *more))
                if time.monotonic() > until:
                    return AttachError(
                        f"no thread of process {self._pid} could be borrowed in time:"
                        f" {what_threads_do(self._pid)}",
                        hint="a thread is borrowed where it waits for others, sleeps, or computes outside of"
                        " the C library; try again, or with a longer --timeout",
                    )
                check_may_attach(self._pid)
                time.sleep(_PAUSE_SECONDS)
        except BaseException as error:
            return error
        return None

    def _try_each(self, call: Call) -> bool:
        stacks: list[Mapping] = []
        for thread in candidates(self._pid):
            try:
                # Read before the thread is held: that takes longer than all the rest.
                stacks = stacks or [m for m in mappings_of(self._pid) if m.permissions.startswith("rw")]
                borrow(self._pid, thread, self._memory, stacks, call)
                return True
            except NotNow:
                continue
            except ProcessLookupError:
                continue  # the thread ended
            except PermissionError:
                check_may_attach(self._pid)
                raise not_permitted(self._pid) from None
            except OSError as error:
                if error.errno in (errno.EIO, errno.EFAULT, errno.ENOENT):
                    continue
                raise
        return False


class ByRemoteExec:
    """`sys.remote_exec` (PEP 768): the target's main thread runs a file when it next runs Python code."""

    def __init__(self, pid: int, python: Python) -> None:
        self.python = python.text
        self._pid = pid
        if not hasattr(sys, "remote_exec") or python.version[:2] != sys.version_info[:2]:
            own = ".".join(map(str, sys.version_info[:2]))
            raise UnsupportedInterpreter(
                f"sys.remote_exec works between two processes of the same CPython from 3.14 on; process {pid}"
                f" runs {python.text}, leakscan {own}",
                hint="run leakscan with the target's Python, or on x86-64 without --via",
            )

    def close(self) -> None:
        pass

    def open_library(self, folder: PrivateFolder, *, until: float) -> None:
        remote_exec: Callable[[int, str], None] = sys.remote_exec  # type: ignore[attr-defined,unused-ignore]  # 3.14
        script = folder.add_script(f"import _ctypes\n_ctypes.dlopen({folder.library!r}, 2)\n")
        try:
            remote_exec(self._pid, script)
        except (OSError, RuntimeError) as error:
            raise AttachError(
                f"process {self._pid} does not take code by sys.remote_exec: {error}",
                hint="PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug switch it off",
            ) from error


class ByDebugger:
    """gdb or lldb, where nothing else works: they stop every thread for seconds, and can end the process."""

    def __init__(self, pid: int, python: Python, debugger: str) -> None:
        self.python = python.text
        self._pid, self._debugger = pid, debugger
        if shutil.which(debugger) is None:
            raise AttachError(f"there is no {debugger} here", hint=f"install {debugger}, or leave out --via")

    def close(self) -> None:
        pass

    def open_library(self, folder: PrivateFolder, *, until: float) -> None:
        call = f'((void*(*)(const char*,int))dlopen)("{folder.library}", 2)'
        command = {
            "gdb": ["gdb", "-nx", "-batch", "-p", str(self._pid), "-ex", f"call {call}"],
            "lldb": ["lldb", "--no-lldbinit", "--batch", "-p", str(self._pid), "-o", f"expr {call}"],
        }[self._debugger]
        seconds = max(1.0, min(_DEBUGGER_SECONDS, until - time.monotonic()))
        try:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise AttachError(
                f"{self._debugger} did not open the library in process {self._pid} within {seconds:.0f} s",
                hint=f"check that the process is well: ps -o stat= -p {self._pid}",
            ) from None


def _check_c_library(pid: int, libc: CLibrary, library: Path) -> None:
    missing = sorted(_needed_versions(library) - libc.versions, key=_as_numbers)
    if missing and libc.versions:
        newest = max((v for v in libc.versions if v.startswith("GLIBC_2.")), key=_as_numbers, default="?")
        raise UnsupportedInterpreter(
            f"process {pid} has the C library {newest.removeprefix('GLIBC_')}; this leakscan was built for"
            f" {missing[-1].removeprefix('GLIBC_')}",
            hint="install leakscan-heap from a wheel, or build it on a system as old as the target's",
        )


def _needed_versions(library: Path) -> set[str]:
    """Versions of the C library that the file asks for; every one of them stands in its string table."""
    import re

    return {name.decode() for name in re.findall(rb"\0(GLIBC_2\.[0-9.]+)(?=\0)", library.read_bytes())}


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.rpartition("_")[2].split(".") if part.isdigit())
