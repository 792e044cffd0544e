"""What the threads of another process do, in words; nothing is stopped to find out."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

from leakscan.capture.proc_stat import stat_fields

_MOST_NAMED: Final = 3
_CALLS: Final = {
    0: "read", 1: "write", 2: "open", 3: "close", 5: "fstat", 9: "mmap", 10: "mprotect", 11: "munmap",
    12: "brk", 16: "ioctl", 17: "pread64", 18: "pwrite64", 22: "pipe", 24: "sched_yield", 25: "mremap",
    26: "msync", 28: "madvise", 29: "shmget", 56: "clone", 57: "fork", 58: "vfork", 59: "execve",
    64: "semget", 65: "semop", 69: "msgsnd", 70: "msgrcv", 72: "fcntl", 73: "flock", 74: "fsync",
    75: "fdatasync", 162: "sync", 202: "futex", 206: "io_setup", 208: "io_getevents", 220: "semtimedop",
    242: "mq_timedsend", 243: "mq_timedreceive", 257: "openat", 262: "newfstatat", 275: "splice",
    276: "tee", 277: "sync_file_range", 285: "fallocate", 326: "copy_file_range", 426: "io_uring_enter",
    435: "clone3",
}  # fmt: skip
"""Of x86-64, those that a thread can be found in and is not borrowed from."""


def what_threads_do(pid: int) -> str:
    """`2 threads wait in semop, 1 computes in libc.so.6`, the most first."""
    counted: Counter[str] = Counter()
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return "it has ended"
    for thread in threads:
        counted[_activity(pid, thread)] += 1
    named = [
        f"{count} {what}" for what, count in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    more = ["..."] if len(named) > _MOST_NAMED else []
    whose = "thread" if sum(counted.values()) == 1 else "threads"
    return f"of its {whose} " + ", ".join(named[:_MOST_NAMED] + more)


def _activity(pid: int, thread: str) -> str:
    folder = f"/proc/{pid}/task/{thread}"
    try:
        state = stat_fields(Path(folder))[0]
        with open(f"{folder}/syscall", encoding="ascii") as file:
            words = file.read().split()
    except OSError:
        return "ended"
    if words[:1] == ["running"] or words[:1] == ["-1"]:
        return "computes in C code"
    name = _CALLS.get(int(words[0]), f"system call {words[0]}")
    if name == "futex":
        name = "a lock of C code (futex)"
    if state == "D":
        return f"waits for a disk or a file system in {name}"
    return f"waits in {name}"
