"""Births counted in a running process: armed by one attach, told by the next, taken out by a third."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attach_targets import needs_attach, running
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Verdict
from leakscan.answers.analyse import analysed_one
from leakscan.capture.directory.reader import read_capture
from leakscan.capture.process.attach import Attachment
from leakscan.capture.process.attached import AttachedCapture
from leakscan.errors import AttachError
from leakscan.heap.reader import load

pytestmark = needs_attach()

MAKES_MARKERS = """
class Marker: pass
kept = [Marker() for _ in range(10)]
print('ready')
for line in sys.stdin:
    if line == 'forget\\n': kept.clear()
    else: kept.extend(Marker() for _ in range(int(line)))
    print(len(kept))
"""


def births_of_markers(path: Path) -> list[int]:
    graph = load(path)
    markers = graph.type_ids == graph.type_names.index("__main__.Marker")
    return np.bincount(graph.births[markers]).tolist()


def attach(pid: int, path: Path, *, arm: bool = False) -> None:
    with Attachment(pid) as target:
        if arm:
            target.arm()
        target.snapshot(path)
        if arm:
            target.keep_armed()


def test_a_later_attach_knows_the_interval_of_each_object(tmp_path: Path):
    with running(MAKES_MARKERS) as target:
        attach(target.pid, tmp_path / "0.heap", arm=True)
        target.ask("100")
        attach(target.pid, tmp_path / "1.heap")
        target.ask("50")
        attach(target.pid, tmp_path / "2.heap")
    assert births_of_markers(tmp_path / "2.heap") == [10, 100, 50]


def test_a_diff_from_a_later_snapshot_counts_from_there(tmp_path: Path):
    with running(MAKES_MARKERS) as target:
        attach(target.pid, tmp_path / "0.heap", arm=True)
        target.ask("100")
        attach(target.pid, tmp_path / "1.heap")
        target.ask("50")
        attach(target.pid, tmp_path / "2.heap")
    findings = diff(load(tmp_path / "1.heap"), load(tmp_path / "2.heap"))
    row = next(row for row in findings.growth if row.type_name == "__main__.Marker")
    assert (findings.identity, findings.runs, row.count_after - row.count_before) == ("births", 1, 50)


def test_births_that_began_between_two_snapshots_tell_nothing_about_them(tmp_path: Path):
    with running(MAKES_MARKERS) as target:
        attach(target.pid, tmp_path / "before.heap")
        target.ask("100")
        attach(target.pid, tmp_path / "after.heap", arm=True)
    findings = diff(load(tmp_path / "before.heap"), load(tmp_path / "after.heap"))
    assert findings.identity == "address, approximate"


def test_memory_from_before_is_freed_while_armed_and_after(tmp_path: Path):
    with running(MAKES_MARKERS) as target:
        attach(target.pid, tmp_path / "0.heap", arm=True)
        said = [target.ask("5000"), target.ask("forget"), target.ask("5000")]
        with Attachment(target.pid) as attached:
            attached.disarm()
        said += [target.ask("forget"), target.ask("7")]
    assert said == ["5010", "0", "5000", "0", "7"]


def test_disarming_says_whether_there_was_anything_to_disarm():
    with running(MAKES_MARKERS) as target:
        with Attachment(target.pid) as attached:
            was_new = attached.arm()
            attached.keep_armed()
        with Attachment(target.pid) as attached:
            assert (was_new, attached.is_armed, attached.disarm(), attached.disarm()) == (
                True,
                True,
                True,
                False,
            )


def test_what_was_armed_and_not_kept_is_taken_out_again():
    with running(MAKES_MARKERS) as target:
        with Attachment(target.pid) as attached:
            attached.arm()
        with Attachment(target.pid) as attached:
            assert not attached.is_armed


def test_arming_again_and_again_keeps_one_copy_of_the_library():
    with running(MAKES_MARKERS) as target:
        copies = set()
        for _ in range(4):
            with Attachment(target.pid) as attached:
                attached.arm()
                attached.keep_armed()
            with Attachment(target.pid) as attached:
                attached.disarm()
            maps = Path(f"/proc/{target.pid}/maps").read_text()
            copies.add(
                tuple(sorted({line.split()[5] for line in maps.splitlines() if "leakscan-attach" in line}))
            )
        assert len(copies) == 1 and len(copies.pop()) == 1


def test_sub_interpreters_are_not_armed():
    program = """
        try: import _interpreters as interpreters
        except ImportError: import _xxsubinterpreters as interpreters
        kept = interpreters.create()
        print('ready')
        sys.stdin.readline()
    """
    with running(program) as target, Attachment(target.pid) as attached, pytest.raises(AttachError) as raised:
        attached.arm()
    assert raised.value.message.endswith("the process has sub-interpreters")


def test_how_many_interpreters_were_not_seen_is_said(tmp_path: Path):
    program = """
        try: import _interpreters as interpreters
        except ImportError: import _xxsubinterpreters as interpreters
        kept = [interpreters.create(), interpreters.create()]
        print('ready')
        sys.stdin.readline()
    """
    with running(program) as target, Attachment(target.pid) as attached:
        taken = attached.snapshot(tmp_path / "x.heap")
    assert taken.warnings == ("2 other interpreters were not seen: their objects are not in this snapshot",)


def test_births_that_another_tool_ended_are_said_to_be_lost(tmp_path: Path):
    """tracemalloc puts back what it found when it was started, which was before leakscan came."""
    program = """
        import tracemalloc
        tracemalloc.start()
        print('ready')
        sys.stdin.readline(); tracemalloc.stop(); print('stopped'); sys.stdin.readline()
    """
    with running(program) as target:
        with Attachment(target.pid) as attached:
            attached.arm()
            assert attached.snapshot(tmp_path / "before.heap").warnings == ()
            attached.keep_armed()
        target.ask()
        with Attachment(target.pid) as attached:
            first = attached.snapshot(tmp_path / "after.heap")
            second = attached.snapshot(tmp_path / "later.heap")
    assert (first.is_armed, [said[:29] for said in first.warnings]) == (
        False,
        ["births are no longer counted:"],
    )
    assert second.warnings == ()


def test_a_series_has_a_verdict(tmp_path: Path):
    with running(MAKES_MARKERS) as target, Attachment(target.pid) as attached:
        attached.arm()
        capture = AttachedCapture(tmp_path / "cap", attached, overwrite=False)
        for _ in range(7):
            capture.take(attached, redact_keys=False)
            target.ask("20")
        capture.close("complete")
    findings = analysed_one([tmp_path / "cap"])
    leak = findings.leaks[0]
    assert (findings.verdict, findings.unit, leak.type_name, leak.count) == (
        Verdict.LEAK,
        "interval",
        "__main__.Marker",
        120,
    )


def test_a_capture_grows_with_each_attach(tmp_path: Path):
    with running(MAKES_MARKERS) as target:
        for _ in range(3):
            with Attachment(target.pid) as attached:
                AttachedCapture(tmp_path / "cap", attached, overwrite=False).take(attached, redact_keys=False)
    capture = read_capture(tmp_path / "cap")
    files = [(entry.path.name, entry.run) for entry in capture.snapshots]
    assert files == [("before.heap", 0), ("run-0001.heap", 1), ("after.heap", 2)]
    assert (capture.status, capture.runs_completed, len(capture.census)) == ("complete", 2, 3)


def test_a_capture_of_another_process_is_not_mixed_in(tmp_path: Path):
    for expected in (None, "which was another process"):
        with running(MAKES_MARKERS) as target, Attachment(target.pid) as attached:
            if expected is None:
                AttachedCapture(tmp_path / "cap", attached, overwrite=False).take(attached, redact_keys=False)
            else:
                with pytest.raises(AttachError, match=expected):
                    AttachedCapture(tmp_path / "cap", attached, overwrite=False)


def take(pid: int, directory: Path, *, arm: bool = False) -> None:
    with Attachment(pid) as target:
        if arm:
            target.arm(for_capture=True)
        AttachedCapture(directory, target, overwrite=False).take(target, redact_keys=False)
        if arm:
            target.keep_armed()


def test_a_look_aside_does_not_end_the_interval_of_a_capture(tmp_path: Path):
    with running(MAKES_MARKERS) as target:
        take(target.pid, tmp_path / "cap", arm=True)
        target.ask("100")
        with Attachment(target.pid) as attached:
            attached.snapshot(tmp_path / "aside.heap", is_aside=True)
        target.ask("50")
        take(target.pid, tmp_path / "cap")
    found = [births_of_markers(path) for path in (tmp_path / "aside.heap", tmp_path / "cap" / "after.heap")]
    assert found == [[10, 100], [10, 150]]


def test_a_capture_does_not_go_on_when_births_do_not(tmp_path: Path):
    with running(MAKES_MARKERS) as target:
        take(target.pid, tmp_path / "cap", arm=True)
        with Attachment(target.pid) as attached:
            attached.disarm()
        with pytest.raises(AttachError, match="no longer counts births since the last snapshot"):
            take(target.pid, tmp_path / "cap")
    assert [path.name for path in (tmp_path / "cap").glob("*.heap")] == ["before.heap"]


def test_a_second_caller_of_an_armed_process_is_told_to_wait():
    with running(MAKES_MARKERS) as target:
        with Attachment(target.pid) as attached:
            attached.arm()
            attached.keep_armed()
        with Attachment(target.pid) as first:
            with pytest.raises(AttachError, match="another leakscan is attached"), Attachment(target.pid):
                pass
            is_served = first.disarm()
        assert (is_served, target.ask("5")) == (True, "15")


def test_two_callers_of_a_process_that_is_not_armed_are_both_served(tmp_path: Path):
    with running(MAKES_MARKERS) as target, Attachment(target.pid) as first, Attachment(target.pid) as second:
        for number, attached in enumerate((first, second, first)):
            attached.snapshot(tmp_path / f"{number}.heap")
    assert len(list(tmp_path.glob("*.heap"))) == 3
