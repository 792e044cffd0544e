"""Snapshot files read back: what was written, lazily, from any kind of source."""

import dataclasses
import io
import os
import threading

import numpy as np
import pytest

from heaps import heap
from leakscan.errors import SnapshotError
from leakscan.heap.compress import compress
from leakscan.heap.graph import HeapGraph
from leakscan.heap.reader import LAZY_FIELDS, load, load_whole
from leakscan.heap.writer import write

DRAWING = """
    module app -> flow; thread MainThread -> frame; own thread sampler => flow
    flow -[._runs]-> runs -['run-1']-> run -[3]-> out -[~]-> flow
    frame =[local f]=> flow
    out: streamlab.ModelOutput size=100 birth=3 name='out' at=a/b.py:31 bound=8 site=a.py:3:make
    runs: dict size=9000000000; flow: streamlab.Workflow
    T: type defines=streamlab.ModelOutput refcount=immortal
"""
FIELDS = [field.name for field in dataclasses.fields(HeapGraph) if field.name != "path"]


def as_plain(value):
    """A field of a graph as something `==` compares."""
    if dataclasses.is_dataclass(value):
        return [as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, np.ndarray):
        return (value.dtype, value.tolist())
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.fixture
def snapshot(tmp_path):
    path = tmp_path / "one.heap"
    write(heap(DRAWING), path)
    return path


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("drawing", [DRAWING, "", "a -> a", "root -> a"])
def test_a_written_heap_reads_back_the_same(tmp_path, drawing, compress):
    graph, path = heap(drawing), tmp_path / "one.heap"
    write(graph, path, compress=compress)
    read = load(path)
    assert {name: as_plain(getattr(read, name)) for name in FIELDS} == {
        name: as_plain(getattr(graph, name)) for name in FIELDS
    }


def test_columns_that_were_not_asked_for_come_when_they_are_used(snapshot):
    graph = load(snapshot, columns={"type_ids"})
    assert "ref_targets" not in vars(graph)
    assert graph.ref_targets.tolist() == load(snapshot).ref_targets.tolist()


def test_counts_need_no_column(snapshot):
    graph = load(snapshot, columns=())
    assert (graph.object_count, graph.reference_count) == (6, 5)
    assert not set(LAZY_FIELDS) & set(vars(graph))


def test_a_snapshot_can_be_read_from_memory(snapshot):
    assert load(io.BytesIO(snapshot.read_bytes())).object_count == 6


def test_a_snapshot_can_be_read_from_a_pipe(snapshot):
    reading, writing = os.pipe()

    def feed():
        with open(writing, "wb") as pipe:
            pipe.write(snapshot.read_bytes())

    feeder = threading.Thread(target=feed)
    feeder.start()
    with open(reading, "rb") as pipe:
        assert load(pipe).object_count == 6
    feeder.join()


def test_a_loaded_graph_can_be_replaced_in_part(snapshot):
    graph = dataclasses.replace(load(snapshot), runtime="other")
    assert (graph.runtime, graph.object_count, graph.reference_count) == ("other", 6, 5)


def test_an_unknown_field_is_no_attribute(snapshot):
    with pytest.raises(AttributeError):
        load(snapshot).no_such_column  # noqa: B018


@pytest.mark.parametrize(
    ("beginning", "clause"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x7fELF\x02", "ELF"),
        (b'{"a": 1}', "JSON"),
        (b"PK\x03\x04", "zip"),
        (b"\x80\x04\x95", "pickle"),
        (b"hello world, this is text\n", "text"),
        (b"\x00" * 100, "zero bytes"),
        (b"\xff\xfe\xfd", "not those of any format"),
    ],
)
def test_what_is_not_a_snapshot_is_called_what_it_looks_like(tmp_path, beginning, clause):
    path = tmp_path / "other"
    path.write_bytes(beginning)
    with pytest.raises(SnapshotError, match=clause):
        load(path)


def test_a_missing_file_a_directory_and_an_empty_file_are_told_apart(tmp_path):
    (tmp_path / "empty.heap").touch()
    messages = []
    for name in ("missing.heap", "", "empty.heap"):
        with pytest.raises(SnapshotError) as caught:
            load(tmp_path / name)
        messages.append(caught.value.message.rpartition(": ")[2])
    assert messages == ["no such file", "is a directory", "the file is empty"]


def test_control_characters_of_a_file_name_are_escaped(tmp_path):
    with pytest.raises(SnapshotError) as caught:
        load(tmp_path / "a\x1b[31m\u202eb")
    assert caught.value.message.endswith(r"a\x1b[31m\u202eb: no such file")


def test_a_compressed_file_is_smaller_and_reads_the_same(tmp_path):
    path = tmp_path / "chain.heap"
    write(heap(" -> ".join(f"x{i}" for i in range(2000))), path)
    graph = load(path)
    before, after = compress(path)
    assert after < before / 2 and path.stat().st_size == after
    assert as_plain(load(path).ref_labels) == as_plain(graph.ref_labels)
    assert compress(path) == (after, after)


def test_a_damaged_file_is_not_compressed_and_left_as_it_was(snapshot, tmp_path):
    content = snapshot.read_bytes()[:-40]
    snapshot.write_bytes(content)
    with pytest.raises(SnapshotError):
        compress(snapshot)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("one.heap", content)]


def test_a_file_read_in_two_threads_gives_the_same_heap_and_the_same_refusals(tmp_path):
    path = tmp_path / "one.heap"
    write(heap("module app -> a; a -[.b]-> b; b: str size=60 name=x"), path)
    one, other = load(path), load_whole(path)
    for name in LAZY_FIELDS:
        if isinstance(value := getattr(one, name), np.ndarray):
            assert np.array_equal(value, getattr(other, name)), name
    content = bytearray(path.read_bytes())
    content[content.index(b"ref.dst") + 60] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(SnapshotError):
        load_whole(path)
