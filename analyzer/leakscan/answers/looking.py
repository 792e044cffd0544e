"""One snapshot to look around in, whatever a command was pointed at."""

from __future__ import annotations

from pathlib import Path

from leakscan.analysis.objects.around import view
from leakscan.analysis.objects.called import find_meant
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.unused_variables import ReadScript, UnusedVariables
from leakscan.analysis.objects.views import Inspection
from leakscan.answers.analyse import dated_by_id
from leakscan.answers.sources import bare_snapshots, snapshot_in, source_of
from leakscan.capture.directory.reader import read_capture
from leakscan.errors import UsageError
from leakscan.heap.graph import HeapGraph
from leakscan.heap.reader import load_whole
from leakscan.heap.sniff import is_capsule
from leakscan.heap.source_files import SourceFiles


def graph_to_look_at(path: Path) -> HeapGraph:
    """The last snapshot of a capture, births by run included where the capture knows them, or the file.

    UsageError for a capsule, which has no heap.
    """
    if path.is_file() and is_capsule(path):
        raise UsageError(
            f"{path} is a capsule: it holds answers, not the heap", hint="point at a snapshot or a capture"
        )
    file = snapshot_in(path)
    if path.is_dir() and not bare_snapshots(path):
        capture = read_capture(path)
        if capture.runtime == "node":
            return dated_by_id(capture, load_whole(file), source_of(capture).runs)
    return load_whole(file)


def inspect(snapshot: str | Path, pattern: str, *, limit: int = 20) -> Inspection:
    """One object of a snapshot (of a capture: its last one): fields, holders, sizes, birth, paths.

    `pattern` is a cut pattern, a type, `#17`, or a line pasted from a screen. When it means several, they are
    listed and the one that retains most is told. UsageError: it leads to nothing.
    """
    heap = Heap(graph_to_look_at(Path(snapshot)))
    found = find_meant(heap, pattern)
    listed = heap.listed(found, limit)
    unused = UnusedVariables(heap, scripts_of(snapshot_in(Path(snapshot))))
    return Inspection(pattern, listed, view(heap, listed.objects[0].object, limit=limit, unused=unused))


def scripts_of(snapshot: Path) -> ReadScript:
    """Reads the scripts of a V8 snapshot from where they lie, unless one was written after it was taken."""
    files = SourceFiles()

    def read(script: str) -> str | None:
        found = files(script)
        is_the_same = found is not None and found.written_unix <= snapshot.stat().st_mtime
        return found.text if found is not None and is_the_same else None

    return read
