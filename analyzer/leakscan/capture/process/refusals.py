"""Why a process may not, or should not, be attached to: found out before anything is touched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leakscan.errors import AttachError

_YAMA: Final = Path("/proc/sys/kernel/yama/ptrace_scope")
_DESCRIPTORS_NEEDED: Final = 4
"""Two pipes, the heap, and the library while it is mapped."""
_TASKS_NEEDED: Final = 2
"""The agent's thread, and the child that writes."""
_CAP_SYS_PTRACE, _CAP_SYS_ADMIN, _CAP_SYS_RESOURCE = 1 << 19, 1 << 21, 1 << 24
_SECCOMP_STRICT, _SECCOMP_FILTER = 1, 2


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose process it is."""

    uid: int
    gid: int


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status. AttachError: there is no such process."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        raise AttachError(
            f"there is no process {pid}", hint="`ps -ef` lists the processes; PIDs change at a restart"
        ) from None
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def identity_of(pid: int) -> Identity:
    status = status_of(pid)
    # The file system's: it is what opens the library.
    uid, gid = (int(status[name].split()[3]) for name in ("Uid", "Gid"))
    return Identity(uid, gid)


def check_may_attach(pid: int) -> None:
    """AttachError with what is missing. Reads /proc only; the process does not notice."""
    status = status_of(pid)
    state = status.get("State", "?")[:1]
    if pid == os.getpid():
        raise AttachError("leakscan cannot attach to itself", hint='use `leakscan.snapshot("x.heap")`')
    if state in "ZX":
        raise AttachError(f"process {pid} has already ended", hint="it only waits for its parent to notice")
    if state in "Tt":
        tracer = int(status.get("TracerPid", "0"))
        if tracer:
            raise _traced(pid, tracer)
        raise AttachError(
            f"process {pid} is stopped (SIGSTOP, or Ctrl-Z in its terminal)",
            hint="let it go on first: kill -CONT PID, or `fg`",
        )
    if "VmSize" not in status:
        raise AttachError(f"process {pid} is a thread of the kernel", hint="it runs no Python")
    if tracer := int(status.get("TracerPid", "0")):
        raise _traced(pid, tracer)
    if status.get("Seccomp") == str(_SECCOMP_STRICT):
        raise AttachError(
            f"process {pid} may only read and write (strict seccomp)", hint="nothing can be loaded into it"
        )
    if "shstk" in status.get("x86_Thread_features", "").split():
        raise AttachError(
            f"process {pid} uses a shadow stack, on which no thread can be borrowed",
            hint="start it with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off",
        )
    _check_owner(pid, status)


def check_descriptors(pid: int) -> None:
    """AttachError: the process has too few file descriptors left to open the library and its pipes."""
    try:
        used = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return
    most = _limit_of(pid, "Max open files")
    if most is not None and used + _DESCRIPTORS_NEEDED > most:
        raise AttachError(
            f"process {pid} has {used} of {most} file descriptors in use; an attach needs"
            f" {_DESCRIPTORS_NEEDED} for a moment",
            hint=f"raise its limit: prlimit --pid {pid} --nofile={most + 16}:",
        )


def check_threads(pid: int) -> None:
    """AttachError: the process may start no thread and no child, by `ulimit -u` or its cgroup."""
    status = status_of(pid)
    uid = int(status["Uid"].split()[0])
    is_bound = uid != 0 and not int(status["CapEff"], 16) & (_CAP_SYS_ADMIN | _CAP_SYS_RESOURCE)
    most = _limit_of(pid, "Max processes") if is_bound else None
    if most is not None and (used := _tasks_of(uid)) + _TASKS_NEEDED > most:
        raise AttachError(
            f"process {pid} may start no thread: its user (uid {uid}) has {used} of {most} processes and"
            f" threads (ulimit -u); an attach needs {_TASKS_NEEDED} for a moment",
            hint=f"raise its limit: prlimit --pid {pid} --nproc={max(used, most) + 16}:",
        )
    for file, used, most in _task_cgroups(pid):
        if used + _TASKS_NEEDED > most:
            raise AttachError(
                f"process {pid} may start no thread: its cgroup has {used} of {most} (pids.max); an attach"
                f" needs {_TASKS_NEEDED} for a moment",
                hint=f"raise it: echo {most + 16} > {file}",
            )


def _tasks_of(uid: int) -> int:
    """Threads of all processes of that user that can be seen from here."""
    found = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, KeyError, AttachError):
            status = status_of(int(entry.name))
            found += int(status["Threads"]) * (status["Uid"].split()[0] == str(uid))
    return found


def _task_cgroups(pid: int) -> Iterator[tuple[Path, int, int]]:
    """(file of the limit, tasks, most tasks) of its cgroups that can be seen from here and have a limit."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers not in ("", "pids") or ".." in path:
                continue
            folder = Path("/sys/fs/cgroup", controllers, path.strip("/"))
            with contextlib.suppress(OSError, ValueError):  # `max` is no number
                used, most = (int((folder / name).read_text()) for name in ("pids.current", "pids.max"))
                yield folder / "pids.max", used, most


def _limit_of(pid: int, name: str) -> int | None:
    """The soft limit of that name; None without one."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
            word = line.removeprefix(name).split()[:1]
            if line.startswith(name) and word and word[0].isdigit():
                return int(word[0])
    return None


def python_children(pid: int) -> list[int]:
    """Processes that it started and that run the same program: the workers of a supervisor."""
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found = []
    for thread in threads:
        try:
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        except OSError:
            continue
        for child in children:
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{child}/exe") == program:
                    found.append(int(child))
    return sorted(found)


def _check_owner(pid: int, status: dict[str, str]) -> None:
    owners = {int(word) for word in status["Uid"].split()}
    is_capable = bool(int(status_of(os.getpid())["CapEff"], 16) & _CAP_SYS_PTRACE)
    if owners != {os.geteuid()} and not is_capable:
        raise AttachError(
            f"process {pid} belongs to another user (uid {', '.join(map(str, sorted(owners)))};"
            f" you are {os.geteuid()})",
            hint=f"run as that user, or with sudo: sudo {_self_command()} attach {pid} ...",
        )
    try:
        Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        raise not_permitted(pid) from None


def _traced(pid: int, tracer: int) -> AttachError:
    try:
        name = Path(f"/proc/{tracer}/comm").read_text(errors="replace").strip()
    except OSError:
        name = "a process outside this container"
    return AttachError(
        f"process {pid} is already being traced by {tracer} ({name})",
        hint="end that debugger, strace or profiler first: a process has one tracer",
    )


def not_permitted(pid: int) -> AttachError:
    """What the kernel's "operation not permitted" means here."""
    own = status_of(os.getpid())
    if int(own["CapEff"], 16) & _CAP_SYS_PTRACE:
        if own.get("Seccomp") == str(_SECCOMP_FILTER):
            return AttachError(
                f"cannot attach to process {pid}: a system call filter (seccomp) forbids ptrace here",
                hint="run leakscan on the host, or the container with --cap-add SYS_PTRACE"
                " --security-opt seccomp=unconfined",
            )
        return AttachError(
            f"cannot attach to process {pid}: the kernel does not permit it",
            hint="a security module (SELinux, AppArmor) or another PID namespace forbids it; try on the host",
        )
    scope = _yama_scope()
    if scope:
        words = {1: "only a parent may trace", 2: "only with CAP_SYS_PTRACE", 3: "nobody may, until a reboot"}
        fix = "restart with kernel.yama.ptrace_scope=0" if scope == 3 else (
            f"sudo {_self_command()} attach {pid} ..., or once: sudo sysctl kernel.yama.ptrace_scope=0"
        )  # fmt: skip
        return AttachError(
            f"cannot attach to process {pid}: ptrace is restricted (Yama scope {scope}:"
            f" {words.get(scope, '')})",
            hint=fix,
        )
    return AttachError(
        f"cannot attach to process {pid}: it gave up its right to be looked at (not dumpable), or runs in a"
        " container with other capabilities",
        hint=f"it needs CAP_SYS_PTRACE: sudo {_self_command()} attach {pid} ..., or docker run"
        " --cap-add SYS_PTRACE",
    )


def _yama_scope() -> int:
    try:
        return int(_YAMA.read_text())
    except (OSError, ValueError):
        return 0


def _self_command() -> str:
    # sudo has another PATH: the environment's own command must be named whole.
    import shutil

    return shutil.which("leakscan") or "leakscan"
