"""Borrow a thread of another process for one call, through ptrace; x86-64 Linux.

The thread is held for a fraction of a millisecond. What it was doing is written below its stack the way
the kernel does it for a signal handler, and the thread is let go at the function's entry with the C
library's signal return as its return address: when the function returns, the kernel puts back every
register, the vector registers too. So nothing more is needed from this side: leakscan may be killed at
any moment and the thread goes on as if a signal had been handled. No code of the process is overwritten,
and no signal that arrives meanwhile is lost.

A thread is borrowed only where calling into the C library is harmless: while it waits in the kernel (in
one of the calls below, which nothing that holds the locks of malloc() or of the loader makes), or in the
interpreter's own code, or that of another library, which nothing with those locks calls, unless a signal
handler interrupted it. Which libraries those are is said in python_inside.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leakscan.capture.process.memory_map import Mapping, Memory

SIGRETURN_CODE: Final = b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"
"""`mov $__NR_rt_sigreturn, %rax; syscall`: what every x86-64 C library returns from a handler through."""

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_GETREGS, _SETREGS, _GETREGSET, _GETSIGMASK = 12, 13, 0x4204, 0x420A
_NT_X86_XSTATE: Final = 0x202
_EVENT_STOP: Final = 128
_WALL: Final = 0x40000000
_REGISTERS: Final = struct.Struct("<27Q")
(_R15, _R14, _R13, _R12, _RBP, _RBX, _R11, _R10, _R9, _R8, _RAX, _RCX, _RDX, _RSI, _RDI, _ORIG_RAX,
 _RIP, _CS, _EFLAGS, _RSP, _SS, _FS_BASE, _GS_BASE, _DS, _ES, _FS, _GS) = range(27)  # fmt: skip
_DIRECTION_AND_TRAP: Final = 0x500
_NO_SYSTEM_CALL: Final = 0xFFFFFFFFFFFFFFFF
_RED_ZONE: Final = 128
_ROOM_ON_STACK: Final = 48 * 1024
"""dlopen() and starting a thread need about a quarter of it."""
_HOLD_SECONDS: Final = 1.0
_HANDLER_DEPTH: Final = 32 * 1024

_FUTEX, _READ, _NANOSLEEP, _CLOCK_NANOSLEEP = 202, 0, 35, 230
_FCNTL, _OPEN, _OPENAT = 72, 2, 257
_FUTEX_WAIT_BITSET: Final = 9
_WAIT_FOR_LOCK: Final = (7, 38)
"""F_SETLKW and F_OFD_SETLKW"""
_ON_STREAMS: Final = (_READ, 19, 1, 20, 40)
_AT_CWD: Final = -100
_WAITING: Final = {
    _FUTEX: 0,  # conditions and semaphores only; a lock of malloc() waits by another operation
    232: 1, 281: 1, 441: 1,  # epoll_wait, epoll_pwait, epoll_pwait2
    7: 2, 271: 2, 23: 2, 270: 2,  # poll, ppoll, select, pselect6
    43: 3, 288: 3, 45: 3, 47: 3, 42: 3,  # accept, accept4, recvfrom, recvmsg, connect
    61: 4, 247: 4, 34: 4, 128: 4, 130: 4,  # wait4, waitid, pause, rt_sigtimedwait, rt_sigsuspend
    _READ: 5, 19: 5,  # read, readv
    1: 5, 20: 5, 44: 5, 46: 5, 307: 5, 40: 5,  # write, writev, sendto, sendmsg, sendmmsg, sendfile
    73: 5, _FCNTL: 5,  # flock, fcntl
    _OPEN: 5, _OPENAT: 5,
    _NANOSLEEP: 6, _CLOCK_NANOSLEEP: 6,
}  # fmt: skip
"""System calls a thread may be borrowed from, and which are preferred: those whose caller never sees it."""
_RUNNING: Final = 7

_RESTART_ALWAYS: Final = (512, 513, 514)
_RESTART_BLOCK: Final = 516
_EINTR: Final = 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class NotNow(Exception):
    """This thread cannot be borrowed at this moment; another, or a later moment, may do."""


@dataclass(frozen=True, slots=True)
class Call:
    """`function(address of text, argument)`, which returns through `sigreturn`."""

    function: int
    text: bytes
    argument: int
    sigreturn: int
    code: tuple[tuple[int, int], ...] = ()
    """Where a thread that is computing may be borrowed: code that nothing with those locks calls."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


def candidates(pid: int) -> list[int]:
    """Threads that might be borrowed now, the best first. Nothing is stopped to find out."""
    found = []
    try:
        threads = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/syscall", encoding="ascii") as file:
                words = file.read().split()
        except OSError:
            continue
        if words[:1] == ["running"] or words[:1] == ["-1"]:
            found.append((_RUNNING, thread))
        elif words and _may_borrow_in(pid, int(words[0]), int(words[1], 16), int(words[2], 16)):
            found.append((_WAITING[int(words[0])], thread))
    return [thread for _, thread in sorted(found)]


def borrow(pid: int, thread: int, memory: Memory, stacks: list[Mapping], call: Call) -> None:
    """Have the thread make the call and go on. NotNow: it was left alone; OSError: it may not be held.

    Must run on a thread that ends soon: the kernel lets go of what a thread holds when it ends.
    """
    with held(thread) as stop_signal:
        if stop_signal:
            raise NotNow
        words = list(_REGISTERS.unpack(_registers(thread)))
        stack = next((each for each in stacks if each.start <= words[_RSP] < each.end), None)
        if stack is None or not _is_harmless(pid, words, memory, stack, call):
            raise NotNow
        frame, entry = _frame(thread, words, stack, call)
        memory.write(entry, frame)
        words[_RIP], words[_RSP] = call.function, entry
        words[_RDI], words[_RSI] = entry + 8 + _UCONTEXT_BYTES, call.argument
        words[_RAX], words[_ORIG_RAX] = 0, _NO_SYSTEM_CALL
        words[_EFLAGS] &= ~_DIRECTION_AND_TRAP
        block = ctypes.create_string_buffer(_REGISTERS.pack(*words), _REGISTERS.size)
        # The one step after which the thread's way is another, and by then all of it is prepared.
        ptrace(_SETREGS, thread, 0, ctypes.addressof(block))


def _may_borrow_in(pid: int, number: int, first: int, second: int) -> bool:
    if number == _FUTEX:
        return second & 0x7F == _FUTEX_WAIT_BITSET
    if number in _ON_STREAMS:
        # The loader reads the files that it opens; nothing it does reads or writes one of these.
        try:
            return os.readlink(f"/proc/{pid}/fd/{first}").startswith(
                ("pipe:", "socket:", "anon_inode:", "/dev/pts/", "/dev/tty")
            )
        except OSError:
            return False
    if number == _FCNTL:
        return second in _WAIT_FOR_LOCK
    if number in (_OPEN, _OPENAT):
        # The loader opens files with its locks held: of what can be opened only a FIFO waits for somebody.
        return _is_fifo(pid, first if number == _OPENAT else _AT_CWD, second if number == _OPENAT else first)
    return number in _WAITING


def _is_fifo(pid: int, folder: int, path_at: int) -> bool:
    folder = (folder & 0xFFFFFFFF) - (1 << 32) if folder & 0x80000000 else folder
    try:
        with contextlib.closing(Memory(pid)) as memory:
            path = os.fsdecode(memory.text(path_at, 4096))
        place = "root" if path.startswith("/") else "cwd" if folder == _AT_CWD else f"fd/{folder}"
        return stat.S_ISFIFO(os.stat(f"/proc/{pid}/{place}/{path}").st_mode)
    except (OSError, ValueError):
        return False


def _is_harmless(pid: int, words: list[int], memory: Memory, stack: Mapping, call: Call) -> bool:
    if words[_ORIG_RAX] >> 63:
        is_inside = any(start <= words[_RIP] < end for start, end in call.code)
        return is_inside and not _is_in_handler(words[_RSP], memory, stack, call)
    return _may_borrow_in(pid, words[_ORIG_RAX], words[_RDI], words[_RSI])


def _is_in_handler(top: int, memory: Memory, stack: Mapping, call: Call) -> bool:
    """Whether a signal handler may be at work: its frame begins with the address of the signal return.

    The interpreter's own handlers go no deeper than a few hundred bytes. A stale word only costs a retry.
    """
    top &= ~7
    words = memory.read(top, min(_HANDLER_DEPTH, stack.end - top) & ~7)
    return struct.pack("<Q", call.sigreturn) in words


@contextlib.contextmanager
def held(thread: int) -> Iterator[int]:
    """While inside, the thread stands still; yields the signal it was about to get, 0 for none."""
    ptrace(_SEIZE, thread, 0, 0)
    ptrace(_INTERRUPT, thread, 0, 0)
    status = _stop_status(thread)
    if not os.WIFSTOPPED(status):
        raise NotNow  # it has ended
    is_own = status >> 16 == _EVENT_STOP
    signal_number = 0 if is_own else os.WSTOPSIG(status)
    # Stopped by job control: it must stay so, and nothing may be run on it.
    is_stopped = is_own and os.WSTOPSIG(status) != 5
    try:
        if is_stopped:
            raise NotNow
        yield signal_number
    finally:
        ptrace(_DETACH, thread, 0, signal_number)


def _stop_status(thread: int) -> int:
    until = time.monotonic() + _HOLD_SECONDS
    while True:
        waited, status = os.waitpid(thread, _WALL | os.WNOHANG)
        if waited:
            return status
        if time.monotonic() > until:
            raise NotNow  # in an uninterruptible wait
        os.sched_yield()


def ptrace(request: int, thread: int, address: int, argument: int) -> int:
    """What the kernel answers. OSError."""
    answer: int = _libc.ptrace(request, thread, address, argument)
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def _registers(thread: int) -> bytes:
    block = ctypes.create_string_buffer(_REGISTERS.size)
    ptrace(_GETREGS, thread, 0, ctypes.addressof(block))
    return block.raw


_UCONTEXT_BYTES: Final = 304
_UC_FLAGS: Final = 7
"""UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS"""
_INVALID_STACK_FLAGS: Final = 0x7FFF0000
"""So that the signal return leaves the thread's alternate signal stack, which cannot be asked, as it is."""


def _frame(thread: int, words: list[int], stack: Mapping, call: Call) -> tuple[bytes, int]:
    """What a signal handler would find on its stack, and where to write it."""
    vectors = _vector_state(thread)
    vectors_at = (words[_RSP] - _RED_ZONE - len(vectors)) & ~63
    text = call.text + b"\0"
    entry = ((vectors_at - 8 - _UCONTEXT_BYTES - len(text)) & ~15) - 8
    if entry < stack.start + 4096:
        raise NotNow
    # The main thread's grows by itself. The C library keeps a thread's own data at the upper end of its
    # stack; where they are not, the thread is on another one, for a signal or a coroutine, of unknown size.
    has_room = entry >= stack.start + _ROOM_ON_STACK and words[_RSP] < words[_FS_BASE] < stack.end
    if stack.path != "[stack]" and not has_room:
        raise NotNow
    mask = ctypes.create_string_buffer(8)
    ptrace(_GETSIGMASK, thread, 8, ctypes.addressof(mask))
    rax, rip, rdi = _resumed(words)
    context = struct.pack("<QQQQQ", _UC_FLAGS, 0, 0, _INVALID_STACK_FLAGS, 0)
    order = (_R8, _R9, _R10, _R11, _R12, _R13, _R14, _R15, _RDI, _RSI, _RBP, _RBX, _RDX, _RAX, _RCX, _RSP,
             _RIP, _EFLAGS)  # fmt: skip
    kept = {**{index: words[index] for index in order}, _RAX: rax, _RIP: rip, _RDI: rdi}
    context += struct.pack("<18Q", *(kept[index] for index in order))
    context += struct.pack("<4H", words[_CS], 0, 0, words[_SS])
    context += struct.pack("<4Q", 0, 0, 0, 0) + struct.pack("<9Q", vectors_at, *(8 * [0])) + mask.raw
    assert len(context) == _UCONTEXT_BYTES
    frame = struct.pack("<Q", call.sigreturn) + context + text
    return frame.ljust(vectors_at - entry, b"\0") + vectors, entry


def _resumed(words: list[int]) -> tuple[int, int, int]:
    """rax, rip and rdi with which the thread goes on, as the kernel has it after a handled signal.

    Waits without an end of their own, and those until a point in time, are begun again; a sleep goes on
    with what is left of it where the caller asked for the rest; other waits report EINTR.
    """
    rax, rip, rdi, number = words[_RAX], words[_RIP], words[_RDI], words[_ORIG_RAX]
    outcome = (1 << 64) - rax
    if number >> 63 or outcome not in (*_RESTART_ALWAYS, _RESTART_BLOCK):
        return rax, rip, rdi
    if outcome in _RESTART_ALWAYS or number == _FUTEX:
        return number, rip - 2, rdi
    if number == _NANOSLEEP and words[_RSI]:
        return number, rip - 2, words[_RSI]
    if number == _CLOCK_NANOSLEEP and words[_R10] == words[_RDX]:
        return number, rip - 2, rdi
    return (1 << 64) - _EINTR, rip, rdi


_FEATURES_AT, _HEADER_AT = 464, 512
_TILES: Final = 1 << 18
_TILE_BYTES: Final = 8192
_MAGIC_1, _MAGIC_2 = 0x46505853, 0x46505845


def _vector_state(thread: int) -> bytes:
    """The thread's floating point and vector registers as a signal frame holds them."""
    block = ctypes.create_string_buffer(64 * 1024)
    vector = _Vector(ctypes.addressof(block), len(block))
    ptrace(_GETREGSET, thread, _NT_X86_XSTATE, ctypes.addressof(vector))
    state = bytearray(block.raw[: vector.size])
    (features,) = struct.unpack_from("<Q", state, _FEATURES_AT)
    (used,) = struct.unpack_from("<Q", state, _HEADER_AT)
    if features & _TILES and not used & _TILES:
        # The kernel takes the big matrix registers, the last in the block, only from processes that use them.
        features &= ~_TILES
        del state[-_TILE_BYTES:]
    struct.pack_into("<IIQI28x", state, _FEATURES_AT, _MAGIC_1, len(state) + 4, features, len(state))
    return bytes(state) + struct.pack("<I", _MAGIC_2)
