"""Heaps written for other tools."""

import json
from pathlib import Path

import pytest

from heaps import heap
from leakscan.cli import main
from leakscan.heap.export_v8 import export_v8
from leakscan.heap.reader import load
from leakscan.heap.writer import write

DRAWING = """
    module app -> flow; interpreter atexit callbacks -> fn
    flow -[._runs]-> runs -['run-1']-> run -[3]-> out -[~]-> flow
    fn -[local f]-> flow -[.__dict__]-> d -[{}]-> m -[?]-> n -[int 17]-> o -[<Point>]-> p -[key 'k']-> q
    out: streamlab.ModelOutput size=100; runs: dict size=64; flow: streamlab.Workflow size=48
    orphan: app.Native refcount=+1 size=7
"""
GRAPH = heap(DRAWING)


@pytest.fixture
def exported(tmp_path):
    path = tmp_path / "x.heapsnapshot"
    export_v8(GRAPH, path)
    return path


def read_back(path):
    """(source type, edge type, name or index, target type) of every edge of the file, by plain JSON."""
    content = json.loads(path.read_text())
    meta, strings = content["snapshot"]["meta"], content["strings"]
    width, edges, rows = len(meta["node_fields"]), iter(content["edges"]), []
    nodes = [content["nodes"][at : at + width] for at in range(0, len(content["nodes"]), width)]
    for node in nodes:
        for _ in range(node[4]):
            kind, name, target = next(edges), next(edges), next(edges)
            word = meta["edge_types"][0][kind]
            text = name if word in ("element", "hidden") else strings[name]
            rows.append((strings[node[1]], word, text, strings[nodes[target // width][1]]))
    return rows


def test_references_keep_their_names(exported):
    rows = read_back(exported)
    assert ("streamlab.Workflow", "property", "_runs", "dict") in rows
    assert ("dict", "property", "['run-1']", "object") in rows
    assert ("object", "element", 3, "streamlab.ModelOutput") in rows
    assert ("object", "context", "f", "streamlab.Workflow") in rows
    assert ("streamlab.ModelOutput", "weak", "weak", "streamlab.Workflow") in rows


def test_modules_are_children_of_the_root_and_other_roots_are_grouped(exported):
    rows = read_back(exported)
    assert ("", "property", "module app", "streamlab.Workflow") in rows
    assert ("(interpreter)", "property", "atexit callbacks", "object") in rows


def test_the_sum_of_sizes_is_kept(exported):
    assert int(load(exported).sizes.sum()) == int(GRAPH.sizes.sum())


def test_what_is_held_from_c_hangs_on_a_group_of_its_own(tmp_path, capsys):
    snapshot, out = tmp_path / "x.heap", tmp_path / "x.heapsnapshot"
    write(GRAPH, snapshot)
    assert main(["export", str(snapshot), "-o", str(out)]) == 0
    assert ("(held from C)", "element", 1, "app.Native") in read_back(out)
    assert capsys.readouterr().out == f"{out}: {GRAPH.object_count + 4} nodes, 17 edges\n"


def test_a_size_beyond_32_bits_is_cut_and_said_to_be(tmp_path, capsys):
    snapshot, out = tmp_path / "x.heap", tmp_path / "x.heapsnapshot"
    write(heap("root -> a; a: bytes size=9000000000"), snapshot)
    main(["export", str(snapshot), "-o", str(out)])
    assert capsys.readouterr().err == "warning: 1 sizes were cut to 4 GiB, the most V8's tools know\n"


def test_parquet_has_the_columns(tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    snapshot, out = tmp_path / "x.heap", tmp_path / "columns"
    write(GRAPH, snapshot)
    assert main(["export", str(snapshot), "--to", "parquet", "-o", str(out)]) == 0
    assert parquet.read_table(out / "references.parquet")["target"].to_pylist() == GRAPH.ref_targets.tolist()
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_parquet_files_are_as_documented_and_say_their_version(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    snapshot, out = tmp_path / "x.heap", tmp_path / "columns"
    write(GRAPH, snapshot)
    main(["export", str(snapshot), "--to", "parquet", "-o", str(out)])
    page = (Path(__file__).parents[2] / "docs" / "howto" / "export.md").read_text(encoding="utf-8")
    documented = {
        row.split("|")[1].strip().strip("`"): [cell.strip(" `") for cell in row.split("|")[2].split(",")]
        for row in page.splitlines()
        if row.startswith("| `") and ".parquet`" in row
    }
    schemas = {path.name: parquet.read_schema(path) for path in out.iterdir()}
    assert {name: schema.names for name, schema in schemas.items()} == documented
    assert {schema.metadata[b"leakscan_schema"] for schema in schemas.values()} == {b"1"}


def test_a_folder_that_cannot_be_written_is_an_error_with_exit_code_2(tmp_path, capsys):
    snapshot = tmp_path / "x.heap"
    write(GRAPH, snapshot)
    assert main(["export", str(snapshot), "-o", str(tmp_path / "no" / "x")]) == 2
    assert "cannot write" in capsys.readouterr().err
