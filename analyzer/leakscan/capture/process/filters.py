"""What a process's system call filter (seccomp) does with the calls that an attach makes in it.

A filter may end the process for a call that it does not like. It is read through ptrace and run here, on
the very calls. Without the right to read it there is one more thing to go by: a filter that this process
has as well lets pass what this process does all the time.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from dataclasses import dataclass
from typing import Final

from leakscan.capture.process.borrow import NotNow, held, ptrace
from leakscan.capture.process.refusals import status_of
from leakscan.errors import AttachError

_GET_FILTER: Final = 0x420C
_X86_64: Final = 0xC000003E
_ALLOW, _LOG, _ERRNO = 0x7FFF0000, 0x7FFC0000, 0x00050000
_HARMLESS: Final = (_ALLOW, _LOG, _ERRNO)
"""A call that only fails is given up by whoever made it: the agent, or the C library for another call."""
_MOST_STEPS: Final = 4096
_PASSED: Final = (_ALLOW, _LOG)
_ANY_CHILD, _A_THREAD = 0, 0x003D0F00
_OTHER_WAYS: Final = "nothing was touched. Use `leakscan capture`, or snapshot() before the filter is set"
_CALLS: Final = (
    ("clone", 56, (_A_THREAD,)),
    ("clone", 56, (_ANY_CHILD,)),
    ("clone3", 435, ()),
    ("mmap", 9, (0, 4096, 3, 0x22)),
    ("mprotect", 10, (4096, 4096, 1)),
    ("munmap", 11, ()),
    ("mremap", 25, ()),
    ("openat", 257, (0xFFFFFF9C,)),
    ("read", 0, ()),
    ("pread64", 17, ()),
    ("write", 1, ()),
    ("close", 3, ()),
    ("fstat", 5, ()),
    ("newfstatat", 262, ()),
    ("fcntl", 72, (0, 4)),
    ("poll", 7, ()),
    ("futex", 202, ()),
    ("wait4", 61, ()),
    ("clock_nanosleep", 230, ()),
    ("rt_sigaction", 13, ()),
    ("rt_sigprocmask", 14, ()),
    ("rt_sigreturn", 15, ()),
    ("sigaltstack", 131, ()),
    ("prlimit64", 302, ()),
    ("set_robust_list", 273, ()),
    ("rseq", 334, ()),
    ("prctl", 157, (15,)),
    ("unlink", 87, ()),
    ("rmdir", 84, ()),
    ("getpriority", 140, ()),
    ("setpriority", 141, ()),
    ("madvise", 28, ()),
    ("kill", 62, ()),
    ("sched_yield", 24, ()),
    ("gettid", 186, ()),
    ("getrandom", 318, ()),
    ("exit", 60, ()),
    ("exit_group", 231, ()),
)
"""Every call of the agent, of its child and of the C library below them, with arguments where they matter."""

Program = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Unreadable(Exception):
    reason: str


def check_filter(pid: int) -> bool:
    """Whether any thread has a filter. AttachError: the process would, or could, be ended for an attach."""
    ours = status_of(os.getpid())
    threads = _filtered_threads(pid)
    for thread in threads:
        try:
            programs = _filters_of(thread)
        except _Unreadable as error:
            if _is_same_filter(status_of(thread), ours):
                continue
            raise AttachError(
                f"process {pid} has a system call filter (seccomp) that cannot be read ({error.reason}):"
                " it might end the process for starting a thread or a child",
                hint="root on the host may read it: sudo leakscan attach ...; or start the program with"
                " `leakscan capture`",
            ) from None
        _check_calls(pid, programs)
    return bool(threads)


def _check_calls(pid: int, programs: list[Program]) -> None:
    """All filters are run on every call, and the strictest answer counts."""
    for name, number, arguments in _CALLS:
        if not all(_answer(program, number, arguments) in _HARMLESS for program in programs):
            raise AttachError(
                f"the system call filter (seccomp) of process {pid} ends it, or calls for help, when it"
                f" makes the call {name}, which an attach needs",
                hint=_OTHER_WAYS,
            )
    ways = ((435, ()), (56, (_A_THREAD,)))
    if not any(all(_answer(program, *way) in _PASSED for program in programs) for way in ways):
        raise AttachError(
            f"the system call filter (seccomp) of process {pid} lets it start no thread, which an attach"
            " needs",
            hint=_OTHER_WAYS,
        )


def _filtered_threads(pid: int) -> list[int]:
    """One thread for each number of filters that the threads have."""
    found: dict[str, int] = {}
    try:
        threads = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []
    for thread in threads:
        try:
            status = status_of(thread)
        except AttachError:
            continue  # it has ended
        if status.get("Seccomp") == "2":
            found.setdefault(status.get("Seccomp_filters", "?"), thread)
    return list(found.values())


def _is_same_filter(theirs: dict[str, str], ours: dict[str, str]) -> bool:
    names = ("Seccomp", "Seccomp_filters")
    return all(theirs.get(name) == ours.get(name) for name in names) and "Seccomp_filters" in ours


def _filters_of(thread: int) -> list[Program]:
    outcome: list[list[Program] | Exception] = []

    def read() -> None:
        try:
            with held(thread):
                outcome.append(_dumped(thread))
        except (OSError, NotNow) as error:
            outcome.append(error)

    # On a thread of its own, as every borrowing: the kernel lets go of what it holds when it ends.
    worker = threading.Thread(target=read, daemon=True)
    worker.start()
    worker.join()
    found = outcome[0]
    if isinstance(found, OSError):
        raise _Unreadable(os.strerror(found.errno or 0).lower())
    if isinstance(found, Exception):
        raise _Unreadable("its thread does not stop")
    return found


def _dumped(thread: int) -> list[Program]:
    programs: list[Program] = []
    while True:
        try:
            count = ptrace(_GET_FILTER, thread, len(programs), 0)
        except OSError as error:
            if programs and error.errno == 2:  # ENOENT: there are no more
                return programs
            raise
        block = ctypes.create_string_buffer(count * 8)
        ptrace(_GET_FILTER, thread, len(programs), ctypes.addressof(block))
        programs.append(tuple(struct.iter_unpack("<HBBI", block.raw)))


def _answer(program: Program, number: int, arguments: tuple[int, ...]) -> int:
    """What the filter says to a call, without its data; -1 for one that cannot be followed.

    The classic BPF machine, as far as the kernel lets it be used in a filter.
    """
    given = struct.pack("<iIQ6Q", number, _X86_64, 0, *(*arguments, *(6 * [0]))[:6])
    a = x = at = 0
    memory = [0] * 16
    for _ in range(_MOST_STEPS):
        if not 0 <= at < len(program):
            return -1
        code, if_true, if_false, k = program[at]
        at += 1
        kind = code & 7
        if kind in (0, 1):  # a load into A or X
            mode = code & 0xE0
            if mode == 0x20 and k + 4 <= len(given):
                value = struct.unpack_from("<I", given, k)[0]
            elif mode == 0x60 and k < 16:
                value = memory[k]
            elif mode in (0x00, 0x80):
                value = k if mode == 0 else len(given)
            else:
                return -1
            a, x = (value, x) if kind == 0 else (a, value)
        elif kind in (2, 3):
            memory[k & 15] = a if kind == 2 else x
        elif kind == 4:
            a = _computed(code & 0xF0, a, x if code & 8 else k)
        elif kind == 5:
            at += _jump(code & 0xF0, a, x if code & 8 else k, k, if_true, if_false)
        elif kind == 6:
            return (a if code & 0x18 == 0x10 else k) & 0xFFFF0000
        else:
            a, x = (a, a) if code & 0xF8 == 0 else (x, x)
    return -1


def _computed(operation: int, a: int, b: int) -> int:
    match operation:
        case 0x00:
            a += b
        case 0x10:
            a -= b
        case 0x20:
            a *= b
        case 0x30:
            a = a // b if b else 0
        case 0x40:
            a |= b
        case 0x50:
            a &= b
        case 0x60:
            a <<= b & 31
        case 0x70:
            a >>= b & 31
        case 0x80:
            a = -a
        case 0xA0:
            a ^= b
    return a & 0xFFFFFFFF


def _jump(operation: int, a: int, b: int, k: int, if_true: int, if_false: int) -> int:
    match operation:
        case 0x00:
            return k
        case 0x10:
            is_true = a == b
        case 0x20:
            is_true = a > b
        case 0x30:
            is_true = a >= b
        case _:
            is_true = bool(a & b)
    return if_true if is_true else if_false
