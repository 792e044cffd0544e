"""Programs to attach to, each in a process of its own that is told on stdin when to go on."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from leakscan.capture.process.attach import Attachment
from leakscan.errors import LeakscanError
from leakscan.heap.reader import load

ANSWER_SECONDS = 60


class Program:
    """A running target. It says `ready`, then one line for each line it is given."""

    def __init__(self, command: list[str], **options: object) -> None:
        self.process = subprocess.Popen(  # type: ignore[call-overload]  # options of Popen
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )
        self.pid: int = self.process.pid

    def line(self) -> str:
        """What it says next; "" when it has ended."""
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        assert readable, "the program says nothing"
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, text: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ask(self, text: str = "go") -> str:
        self.tell(text)
        return self.line()

    @property
    def state(self) -> str:
        return status(self.pid)["State"][0]


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextlib.contextmanager
def running(program: str, *, python: str = sys.executable, **options: object) -> Iterator[Program]:
    """`program` under Python, once it has said `ready`."""
    with started([python, "-u", "-c", "import sys, os\n" + textwrap.dedent(program)], **options) as target:
        assert target.line() == "ready"
        yield target


@contextlib.contextmanager
def started(command: list[str], **options: object) -> Iterator[Program]:
    target = Program(command, **options)
    try:
        yield target
    finally:
        target.process.kill()
        target.process.wait()
        for stream in (target.process.stdin, target.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def types_in(path: Path) -> Counter[str]:
    graph = load(path)
    return Counter({name: int((graph.type_ids == row).sum()) for row, name in enumerate(graph.type_names)})


def snapshot_of(pid: int, path: Path, **options: object) -> Counter[str]:
    """Attach, take one snapshot, leave; the objects in it by type."""
    with Attachment(pid, **options) as target:  # type: ignore[arg-type]  # options of Attachment
        target.snapshot(path)
    return types_in(path)


def left_in(pid: int) -> dict[str, int]:
    """What an attach could have left in the process."""
    folder = Path("/proc") / str(pid)
    names = []
    for thread in os.listdir(folder / "task"):
        with contextlib.suppress(OSError):
            names.append((folder / "task" / thread / "comm").read_text().strip())
    maps = (folder / "maps").read_text()
    links = []
    for number in os.listdir(folder / "fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(folder / "fd" / number))
    return {
        "threads": names.count("leakscan"),
        "mappings": maps.count("leakscan-attach"),
        "descriptors": sum("leakscan-attach" in link for link in links),
        "folders": sum(f"leakscan-attach-{pid}-" in name for name in os.listdir("/tmp")),
        "tracers": int(status(pid)["TracerPid"]),
    }


NOTHING = {"threads": 0, "mappings": 0, "descriptors": 0, "folders": 0, "tracers": 0}


@functools.cache
def why_not_attachable() -> str:
    """ "" when this machine lets a process be attached to."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return "attach borrows threads on x86-64 Linux only"
    with running("print('ready'); sys.stdin.readline()") as target:
        try:
            with Attachment(target.pid):
                return ""
        except LeakscanError as error:
            return f"{error.message}; {error.hint}"


def needs_attach() -> pytest.MarkDecorator:
    reason = why_not_attachable()
    return pytest.mark.skipif(bool(reason), reason=reason or "attaching works here")


def needs_root() -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def needs_program(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"there is no {name} here")
