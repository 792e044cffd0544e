"""What works on this machine and why not: each check tries the thing itself where that is cheap."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from leakscan import _native
from leakscan.capture.interpreter import find_interpreter
from leakscan.errors import LeakscanError

_LEAST_DISK: Final = 1 << 30
_TOOL_SECONDS: Final = 10


class State(StrEnum):
    """How a thing that was looked at is."""

    WORKS = "works"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `needed_for`: what does not work without it. `hint`: what to do."""

    name: str
    state: State
    found: str
    needed_for: str
    hint: str = ""
    is_essential: bool = False


def examine() -> tuple[Check, ...]:
    """All checks, in the order of what most people need first. Takes a second or two."""
    checks = [
        _tried("capture", "everything", _capture, is_essential=True),
        *_interpreters(),
        _tried("attach", "leakscan attach, watch --do snapshot", _attach),
        _ptrace(),
        _seccomp(),
        _allocator(),
        _proc(),
        _disk(Path.cwd(), "captures written here"),
        _disk(Path(tempfile.gettempdir()), "assert_no_leaks, attach"),
        _disk(Path("/dev/shm"), "nothing of leakscan's; programs that share memory"),
        *_tools(),
        *(_package(*row) for row in _PACKAGES),
    ]
    return tuple(checks)


def works(checks: tuple[Check, ...]) -> bool:
    """False when something essential does not."""
    return all(check.state is not State.MISSING for check in checks if check.is_essential)


def _tried(name: str, needed_for: str, attempt: Callable[[], str], *, is_essential: bool = False) -> Check:
    try:
        return Check(name, State.WORKS, attempt(), needed_for, is_essential=is_essential)
    except LeakscanError as error:
        return Check(name, State.MISSING, error.message.splitlines()[0], needed_for, error.hint, is_essential)
    except OSError as error:
        return Check(name, State.MISSING, str(error), needed_for, is_essential=is_essential)


def _capture() -> str:
    from leakscan.capture.scenario.run import capture
    from leakscan.capture.scenario.settings import Settings

    with tempfile.TemporaryDirectory(prefix="leakscan-doctor-") as folder:
        program = Path(folder) / "program.py"
        program.write_text("kept = []\ndef once():\n    kept.append(object())\n")
        settings = Settings(runs=2, warmup=1, settle_seconds=0.0)
        captured = capture(f"{program}:once", output=Path(folder) / "leak", settings=settings)
    pause = max(snapshot.pause_seconds for snapshot in captured.snapshots)
    return f"CPython {captured.python} {captured.platform}, stood still for {pause * 1000:.1f} ms"


def _attach() -> str:
    from leakscan.capture.process.attach import Attachment

    with tempfile.TemporaryDirectory(prefix="leakscan-doctor-") as folder, _sleeper() as pid:
        with Attachment(pid) as target:
            taken = target.snapshot(Path(folder) / "now.heap")
        return f"a child of leakscan's, which stood still for {taken.pause_seconds * 1000:.1f} ms"


@contextmanager
def _sleeper() -> Iterator[int]:
    program = "print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield child.pid
        finally:
            child.communicate("\n")


def _interpreters() -> Iterator[Check]:
    for minor in range(11, 16):
        path = shutil.which(f"python3.{minor}")
        if path is None:
            continue
        try:
            found = find_interpreter(path)
        except LeakscanError as error:
            yield Check(f"python3.{minor}", State.MISSING, error.message, "--python", error.hint)
        else:
            yield Check(f"python3.{minor}", State.WORKS, f"{path}: {found.version}", "--python")


def _ptrace() -> Check:
    needed_for = "attach to processes that leakscan did not start"
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    capabilities = int((re.search(r"CapEff:\s*(\w+)", status) or ["", "0"])[1], 16)
    if capabilities >> 19 & 1:
        return Check("ptrace", State.WORKS, "CAP_SYS_PTRACE: processes of every user", needed_for)
    scope = _number(Path("/proc/sys/kernel/yama/ptrace_scope"))
    if not scope:
        return Check("ptrace", State.WORKS, "your own processes (Yama scope 0)", needed_for)
    who = {1: "only its own children", 2: "nobody without CAP_SYS_PTRACE", 3: "nobody until a reboot"}
    return Check(
        "ptrace",
        State.LIMITED if scope == 1 else State.MISSING,
        f"Yama scope {scope}: {who.get(scope, 'unknown')}",
        needed_for,
        "run leakscan with sudo, or once: sudo sysctl kernel.yama.ptrace_scope=0",
    )


def _seccomp() -> Check:
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    mode = (re.search(r"Seccomp:\s*(\d)", status) or ["", "0"])[1]
    container = Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
    where = "in a container" if container else "not in a container"
    if mode == "2":
        found = f"a filter is on, {where}"
        return Check("seccomp", State.LIMITED, found, "attach", "--cap-add SYS_PTRACE when attach is refused")
    return Check("seccomp", State.WORKS, f"no filter, {where}", "attach")


def _allocator() -> Check:
    needed_for = "the rows of malloc in the memory ledger"
    if _native.malloc_figures() is not None:
        return Check("malloc", State.WORKS, " ".join(platform.libc_ver()) or "glibc", needed_for)
    owner = _native.malloc_owner() or "an unknown library"
    return Check(
        "malloc",
        State.LIMITED,
        f"{owner} serves malloc and does not tell what is in use",
        needed_for,
        "run without LD_PRELOAD, with glibc 2.33 or newer",
    )


def _proc() -> Check:
    try:
        pools = _native.pool_figures(os.getpid())
        regions = _native.map_figures(0)["regions"]
    except OSError as error:
        return Check("/proc", State.MISSING, str(error), "memory figures, watch", "mount /proc")
    return Check(
        "/proc", State.WORKS, f"{regions} mappings and {pools[0]} pools read", "memory figures, watch"
    )


def _disk(folder: Path, needed_for: str) -> Check:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(f"disk {folder}", State.MISSING, error.strerror or str(error), needed_for)
    is_little = free < _LEAST_DISK and folder != Path("/dev/shm")
    hint = "a snapshot takes up to 60 bytes for each object" if is_little else ""
    found = f"{free / 1e9:.1f} GB free"
    return Check(f"disk {folder}", State.LIMITED if is_little else State.WORKS, found, needed_for, hint)


def _tools() -> Iterator[Check]:
    rows = (
        ("dot", ("-V",), "leakscan graph -o x.svg, x.png", "install graphviz"),
        ("node", ("--version",), "capture of JavaScript", "install Node 18 or newer"),
        ("gdb", ("--version",), "attach --via gdb, the last resort", "not needed when attach works"),
        ("lldb", ("--version",), "attach --via lldb, the last resort", "not needed when attach works"),
    )
    for name, arguments, needed_for, hint in rows:
        path = shutil.which(name)
        if path is None:
            yield Check(name, State.MISSING, "not on PATH", needed_for, hint)
        else:
            yield Check(name, State.WORKS, _version_of(path, arguments), needed_for)


def _version_of(path: str, arguments: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path} does not start: {error}"
    said = (done.stdout or done.stderr).strip().splitlines()
    return said[0] if said else path


_PACKAGES: Final = (
    ("memray", "capture --native", "pip install memray, where the target runs"),
    ("objgraph", "doctor --cross-check", "pip install objgraph, where the target runs"),
    ("guppy3", "doctor --cross-check", "pip install guppy3, where the target runs (no wheel for 3.15)"),
    ("pyarrow", "export to Parquet", "pip install pyarrow"),
)


def _package(name: str, needed_for: str, hint: str) -> Check:
    try:
        return Check(name, State.WORKS, importlib.metadata.version(name), needed_for)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, State.MISSING, "not installed", needed_for, hint)


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
