"""Which tasks and threads can never wake: of a snapshot, a capture, or a process that runs now."""

from __future__ import annotations

import tempfile
from pathlib import Path

from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.waits import Stuck
from leakscan.analysis.stuck.find import find_stuck
from leakscan.analysis.stuck.promises import is_of_node
from leakscan.answers.sources import snapshot_in
from leakscan.capture.process.attach import Attachment, interrupts_as_exceptions
from leakscan.errors import UsageError
from leakscan.heap.reader import load


def stuck(target: str | Path | int) -> Stuck:
    """Who waits in a snapshot, in the last one of a capture directory, or in the process of that number.

    A file or directory of that name comes first. Of `Stuck.groups`, worst first, only those whose answer is
    NEVER are accused. UsageError: the snapshot is neither of CPython nor of Node.
    AttachError: the process cannot be looked into.
    """
    path = Path(str(target))
    if not path.exists() and path.name == str(target) and path.name.isdecimal() and int(path.name) > 0:
        return _of_process(int(path.name))
    return _of_snapshot(snapshot_in(path))


def _of_process(pid: int) -> Stuck:
    # The folder is this user's alone: a heap holds names.
    with tempfile.TemporaryDirectory(prefix="leakscan-stuck-") as folder:
        path = Path(folder) / "now.heap"
        with interrupts_as_exceptions(), Attachment(pid) as attached:
            attached.snapshot(path, is_aside=True)
        return _of_snapshot(path)


def _of_snapshot(path: Path) -> Stuck:
    graph = load(path)
    if graph.runtime != "cpython" and not is_of_node(graph):
        raise UsageError(
            f"{path} is a heap of V8 outside Node, which does not say what its host can settle",
            hint="take it in Node; `leakscan paths SNAPSHOT --type Promise` says what holds promises",
        )
    return find_stuck(graph, liveness(graph))
