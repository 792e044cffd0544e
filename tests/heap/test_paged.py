"""Columns of references that stay in the file, against the same columns read whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaps import from_edges, heap
from leakscan.errors import SnapshotError
from leakscan.heap import writer
from leakscan.heap.chunks import ChunkFile
from leakscan.heap.reader import load, load_earlier
from leakscan.heap.writer import write

REFERENCES = ("first_ref", "ref_targets", "ref_kinds", "ref_labels")


@pytest.fixture(autouse=True)
def few_items_in_a_chunk(monkeypatch):
    monkeypatch.setattr(writer, "_CHUNK_BYTES", 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("paged")


@given(
    edges=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=200),
    asked=st.lists(st.integers(-300, 300)),
)
def test_what_a_column_is_asked_for_is_what_the_array_has(folder, edges, asked):
    path = folder / "one.heap"
    write(from_edges(40, edges), path)
    paged, whole = load_earlier(path), load(path)
    for name in REFERENCES:
        column, array = getattr(paged, name), getattr(whole, name)
        fitting = np.array([item for item in asked if -len(array) <= item < len(array)], np.int64)
        assert not isinstance(column, np.ndarray)
        assert (len(column), column.dtype) == (len(array), array.dtype)
        assert column[fitting].tolist() == array[fitting].tolist()
        assert column[3:11].tolist() == array[3:11].tolist()
        assert np.asarray(column).tolist() == array.tolist()
        assert [int(column[item]) for item in fitting.tolist()] == array[fitting].tolist()


def test_an_item_that_is_not_there_is_an_index_error(folder):
    path = folder / "two.heap"
    write(heap("root => a; a -> b; b -> a"), path)
    graph = load_earlier(path)
    for asked in (len(graph.ref_targets), np.array([0, 99])):
        with pytest.raises(IndexError, match="not among the"):
            graph.ref_targets[asked]


def test_late_references_are_among_the_others(folder):
    from leakscan.record.snapshot import record

    path = folder / "here.heap"
    record(path)
    paged, whole = load_earlier(path), load(path)
    some = np.arange(0, whole.reference_count, 97)
    for name in REFERENCES[1:]:
        assert getattr(paged, name)[some].tolist() == getattr(whole, name)[some].tolist()


@pytest.mark.parametrize("column", ["ref.dst", "ref.kind", "ref.label", "obj.refs"])
def test_damage_is_found_when_the_page_is_read(folder, column):
    path = folder / "damaged.heap"
    write(from_edges(400, [(item, item + 1) for item in range(399)]), path)
    with open(path, "rb") as file:
        chunks = ChunkFile(file, "damaged")
        chunk = chunks.of(column)[1]
        content = bytearray(path.read_bytes())
        end = chunks.of(column)[2].offset
        content[content.rindex(chunks.payload(chunk).tobytes(), chunk.offset, end)] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match=rf"\({column}\) does not match its checksum"):
        for name in REFERENCES:
            np.asarray(getattr(load_earlier(path), name))


@pytest.mark.parametrize("opened", [load_earlier, lambda path: load(path, stays_open=True)])
def test_a_column_that_was_forgotten_is_read_again(folder, opened):
    path = folder / "again.heap"
    write(heap("root => a -> b; a: app.Thing birth=3"), path)
    graph = opened(path)
    first = graph.births
    graph.forget("births")
    assert "births" not in vars(graph)
    assert graph.births.tolist() == first.tolist()


def test_a_graph_whose_file_is_closed_forgets_nothing(folder):
    path = folder / "closed.heap"
    write(heap("root => a; a: app.Thing birth=3"), path)
    graph = load(path)
    graph.forget("births", "addresses")
    assert graph.births.tolist() == load(path).births.tolist()
    drawn = heap("root => a; a: app.Thing birth=3")
    drawn.forget("births")
    assert drawn.births.tolist() == graph.births.tolist()
