"""What is done with the box of a guarded process once it is dead."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from heaps import heap
from leakscan.capture.directory.finished import (
    CAPSULE_FILE,
    FAILED_FILE,
    keep_capsule,
    pack_snapshots,
    waiting_boxes,
)
from leakscan.capture.directory.guarded import read_box
from leakscan.capture.process.headroom import Room
from leakscan.cli.guard_after import LEFT_FOR_LATER, Look, look_for, main
from leakscan.heap.reader import load
from leakscan.heap.writer import write

STARTED = {"event": "started", "time_unix": 1000.5, "pid": 7, "process_started": 3, "python": "3.12.1"}
NOW = "root -> held" + "".join(f"; held -[{n}]-> job{n}; job{n}: app.Job birth=1" for n in range(300))


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Of a process that nobody knows any more."""
    box = tmp_path / "boxes" / "box-7-1000"
    box.mkdir(parents=True)
    rows: list[dict[str, object]] = [STARTED]
    for name, drawing in (("before.heap", "root -> held; held: list birth=0"), ("after.heap", NOW)):
        write(heap(drawing), box / name)
        size = (box / name).stat().st_size
        rows += [{"event": "snapshot", "file": name, "bytes": size, "interval": len(rows) - 1, "births": 1}]
    rows += [{"event": "snapshot", "file": "after.heap", "bytes": 1, "interval": 5, "births": 1}]
    (box / "guard.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return box


def proc_with(tmp_path: Path, pid: int, started: int, state: str = "S") -> Path:
    folder = tmp_path / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} (a b) c) {state}" + " 0" * 18 + f" {started} 0\n")
    return tmp_path / "proc"


def test_a_box_waits_for_its_capsule_once_the_process_is_dead(box: Path, tmp_path: Path):
    assert waiting_boxes(box.parent, proc=tmp_path / "proc") == [box]
    assert waiting_boxes(box.parent, proc=proc_with(tmp_path, 7, started=3)) == []


@pytest.mark.parametrize(("started", "state"), [(4, "S"), (3, "Z")])
def test_another_process_of_that_number_and_a_zombie_are_not_it(
    box: Path, tmp_path: Path, started: int, state: str
):
    assert waiting_boxes(box.parent, proc=proc_with(tmp_path, 7, started, state)) == [box]


@pytest.mark.parametrize("name", [CAPSULE_FILE, FAILED_FILE])
def test_a_box_is_finished_once(box: Path, name: str):
    (box / name).write_text("")
    assert waiting_boxes(box.parent) == []


def test_a_box_without_its_last_snapshot_has_nothing_to_tell(box: Path):
    (box / "after.heap").unlink()
    assert waiting_boxes(box.parent) == []


def test_packed_snapshots_are_read_as_before(box: Path):
    was, sizes = read_box(box), [load(box / "after.heap").object_count]
    assert was.after is not None
    freed = pack_snapshots(box)
    now = read_box(box)
    assert freed > 5_000
    assert now.after == was.after
    assert [load(box / "after.heap").object_count] == sizes
    assert pack_snapshots(box) == 0
    assert not list(box.glob("*.packing"))


def test_the_capsule_is_there_before_its_command_runs_and_is_handed_over(box: Path, tmp_path: Path):
    told = tmp_path / "told"
    assert (
        main(box.parent, f'cp "$LEAKSCAN_CAPSULE" {told}; ls "$LEAKSCAN_BOX" >&2', None, is_alone=True) == 0
    )
    assert told.read_text() == (box / CAPSULE_FILE).read_text()
    assert 1_000 < told.stat().st_size <= 200_000
    events = [json.loads(line)["event"] for line in (box / "guard.jsonl").read_text().splitlines()]
    assert events[-3:] == ["capsule", "handed", "packed"]  # the other one is too small to be
    assert sorted(os.listdir(box)) == ["after.heap", "before.heap", "guard.jsonl", CAPSULE_FILE]


def test_what_cannot_be_answered_says_so_and_is_not_tried_again(box: Path):
    (box / "after.heap").write_bytes(b"damaged")
    assert main(box.parent, "", None, is_alone=True) == 0
    assert "after.heap" in (box / FAILED_FILE).read_text()
    assert waiting_boxes(box.parent) == []


def test_a_capsule_that_is_kept_is_whole(box: Path):
    (box / FAILED_FILE).write_text("begun")
    assert keep_capsule(box, "{}").read_text() == "{}"
    assert not (box / FAILED_FILE).exists()


SIZE, NEEDED = 100_000_000, 500_000_000
NO_ROOM = Room(0, 10**9, "x")


@pytest.mark.parametrize(
    ("room", "is_alone", "look"),
    [
        (None, False, Look.WHOLE),
        (Room(NEEDED + 1, 10**9, "x"), False, Look.WHOLE),
        (Room(NEEDED, 10**9, "x"), False, Look.SHALLOW),
        (Room(NEEDED // 2, 10**9, "x"), False, Look.LATER),
        (Room(NEEDED // 2, 10**9, "x"), True, Look.SHALLOW),
        (Room(NEEDED, 10**9, "x", kills_group=True), True, Look.LATER),
        (Room(2 * NEEDED + 2, 10**9, "x", kills_group=True), True, Look.WHOLE),
    ],
)
def test_what_still_runs_is_not_pushed_to_its_limit(room: Room | None, is_alone: bool, look: Look):
    assert look_for(SIZE, room, is_alone=is_alone) is look


def test_where_memory_is_short_the_box_is_left_for_later(box: Path):
    assert main(box.parent, "", NO_ROOM, is_alone=False) == LEFT_FOR_LATER
    assert waiting_boxes(box.parent) == [box]


def test_a_shallow_look_leaves_nothing_beside_its_capsule(box: Path):
    assert main(box.parent, "", NO_ROOM, is_alone=True) == 0
    assert "memory was short" in (box / CAPSULE_FILE).read_text()
    assert not list(box.glob("shallow-*"))
