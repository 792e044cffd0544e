"""Living programs that try a recorder: each goes on after its snapshots, and the snapshots are whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asked import FULL
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind
from zoo_runs import counts, load, run


def labelled(graph: HeapGraph, kind: Kind, label: str) -> int:
    """References of a kind that carry the label."""
    labels = graph.ref_labels[(graph.ref_kinds & KIND_MASK) == kind]
    return sum(graph.strings[int(row)] == label for row in labels)


def test_objects_that_raise_at_every_touch_are_recorded_untouched(tmp_path: Path) -> None:
    kept = run("hostile", tmp_path)
    born = counts(load(tmp_path / "after.heap"), born=1)
    found = {name: born[name] for name in ("__main__.Broken", "__main__.Proxy", "__main__.Odd")}
    assert (kept, found) == ("206", {"__main__.Broken": 100, "__main__.Proxy": 100, "__main__.Odd": 1})
    assert (tmp_path / "touches").read_text() == ""


def test_threads_that_change_containers_go_on_through_many_snapshots(tmp_path: Path) -> None:
    assert run("threads", tmp_path, scale=500 if FULL else 10) == "True"
    files = sorted(tmp_path.glob("*.heap"))
    assert len(files) == 11
    for file in files:
        graph = load(file)
        frames = np.flatnonzero(graph.type_ids == graph.type_names.index("<frame>"))
        assert sum(graph.name_of(int(frame)) == "churn" for frame in frames) == 64


def test_suspended_tasks_are_all_there_with_their_locals(tmp_path: Path) -> None:
    scale = 10_000 if FULL else 1_000
    assert run("tasks", tmp_path, scale=scale) == "done"
    graph = load(tmp_path / "after.heap")
    found = counts(graph)
    assert (found["_asyncio.Task"], found["__main__.Payload"]) == (scale + 1, scale)
    # in `leaf`, in `stream` and in `wait`
    assert labelled(graph, Kind.LOCAL, "payload") == 3 * scale


def test_a_chain_however_long_is_walked_without_recursion(tmp_path: Path) -> None:
    scale = 10_000_000 if FULL else 1_000_000
    assert run("deep", tmp_path, scale=scale) == str(scale)
    graph = load(tmp_path / "after.heap")
    assert counts(graph, born=1)["__main__.Node"] == scale
    assert labelled(graph, Kind.SLOT, "next") == scale  # the last one is None


def test_one_huge_dict_is_recorded_entry_by_entry(tmp_path: Path) -> None:
    scale = 5_000_000 if FULL else 500_000
    assert run("big_dict", tmp_path, scale=scale) == "done"
    graph = load(tmp_path / "after.heap")
    table = max(
        range(graph.object_count), key=lambda item: int(graph.first_ref[item + 1] - graph.first_ref[item])
    )
    kinds = graph.ref_kinds[int(graph.first_ref[table]) : int(graph.first_ref[table + 1])] & KIND_MASK
    assert graph.type_name(table) == "dict"
    assert ((kinds == Kind.KEY).sum(), (kinds == Kind.KEY_INT).sum()) == (scale, scale)


def test_timers_other_children_and_a_greedy_wait_do_not_disturb_a_snapshot(tmp_path: Path) -> None:
    scale = 100 if FULL else 10
    assert run("interrupted", tmp_path, scale=scale) == "0"
    files = sorted(tmp_path.glob("*.heap"))
    assert len(files) == 2 * scale
    for file in files[:: scale // 5]:
        load(file)


def test_a_process_without_memory_says_so_and_lives(tmp_path: Path) -> None:
    outcomes = run("poor", tmp_path).split()
    assert outcomes[0] in ("MemoryError", "RecordError")
    assert set(outcomes) <= {"MemoryError", "RecordError", "written"}
    assert list(tmp_path.glob("*.partial")) == []
    assert counts(load(tmp_path / "after.heap"))["dict"] > 200_000


@pytest.fixture(scope="module", autouse=True)
def _said_to_be_smaller(request: pytest.FixtureRequest) -> None:
    if not FULL:
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line("\nzoo: small sizes; LEAKSCAN_FULL=1 runs the full ones")
