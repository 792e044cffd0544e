"""Write run.json and census.jsonl while the target runs, so that any stop leaves them readable."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from leakscan.capture.directory.census import count_snapshot, read_census
from leakscan.capture.directory.mappings import file_mappings, grown_mappings
from leakscan.capture.directory.reader import Capture, read_capture
from leakscan.capture.directory.run_file import (
    AFTER,
    BEFORE,
    CENSUS_FILE,
    SUFFIXES,
    Blamed,
    Failure,
    InFlight,
    Proof,
    RunFile,
    SnapshotRow,
    Trim,
    Written,
    write_run_file,
)

Event = dict[str, Any]  # Any: JSON values, from the driver
Types = dict[str, tuple[int, int]]
Read = TypeVar("Read")


class CaptureWriter:
    """The capture directory as it fills. Every event of the driver is recorded before the next is read."""

    def __init__(self, directory: Path, run: RunFile) -> None:
        self._directory = directory
        self._types: dict[str, tuple[int, int]] = {}
        self._ended: Counter[str] = Counter()
        self._mapped: dict[str, int] = {}
        self._run = run
        self.write()

    @property
    def run(self) -> RunFile:
        """What run.json says."""
        return self._run

    @property
    def has_snapshots(self) -> bool:
        return bool(self._run.snapshots)

    def record(self, event: Event) -> None:
        """Take in one event of the driver. OSError: the disk is full."""
        handler = getattr(self, "_on_" + event["event"], None)
        if handler is not None:
            handler(event)

    def fail(self, *, phase: str, run: int, message: str, hint: str = "") -> None:
        """Record why the capture stopped; what the driver said first stays."""
        if self._run.error is None:
            self._set(error=Failure(phase, run, "", message, hint, ""))

    def forget_failure(self) -> None:
        """What the driver said was a consequence of what is about to be recorded."""
        self._set(error=None)

    def pause(self) -> Capture:
        """The capture as it is while the target waits to be told whether that is all."""
        self._set(status="complete")
        self.write()
        return read_capture(self._directory)

    def reopen(self, runs: int) -> None:
        """More runs follow: the last snapshot is no longer the last."""
        kept = tuple(entry for entry in self._run.snapshots if entry.stem != AFTER)
        self._set(status="running", runs=runs, snapshots=kept)
        self.write()

    def reduce(self, runs: int) -> None:
        """There were no more runs than these to capture."""
        self._set(runs=runs)

    def forget_last_run(self) -> None:
        """It was counted, and the program ended before its snapshot: the one before is the last."""
        self._set(runs_completed=max((each.run for each in self._run.snapshots), default=0))

    def close(self, status: str) -> None:
        """Give the capture its last status, and say what is missing."""
        self._set(status=status, ended_unix=round(time.time(), 3), missing=self._missing())
        for leftover in self._directory.glob(".census-*"):
            leftover.unlink()
        listed = {entry.file for entry in self._run.snapshots}
        for snapshot in self._directory.glob("*.heap*"):
            # Cut off in the middle it is of no use, and on a full disk run.json needs its room.
            if snapshot.name not in listed:
                snapshot.unlink()
        self.write()

    def write(self) -> None:
        write_run_file(self._directory, self._run)

    def _set(self, **changes: Any) -> None:  # Any: fields of RunFile
        self._run = replace(self._run, **changes)

    def _on_started(self, event: Event) -> None:
        self._set(
            python=event["python"],
            implementation=event["implementation"],
            executable=event["executable"],
            platform=event["platform"],
            pid=event["pid"],
            allocator=event.get("allocator", ""),
            version_of_runtime=event.get("version") or event["python"],
        )
        self.write()

    def _on_run_end(self, event: Event) -> None:
        if not event["warmup"]:
            self._ended[event["ended"]] += 1
        self._set(scenario=event["kind"], ended=dict(sorted(self._ended.items())))

    def _on_census(self, event: Event) -> None:
        row = {"phase": event["phase"], "run": event["run"]}
        row |= self._counted(event) if self._run.runtime == "cpython" else self._numbered(event)
        row |= {name: event[name] for name in ("tasks", "seconds")}
        with (self._directory / CENSUS_FILE).open("a", encoding="utf-8", errors="backslashreplace") as lines:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
        if event["phase"] in ("baseline", "settled") and self._run.pid != os.getpid():
            # Read from outside: the target shall not hold the text of its own maps.
            mapped = file_mappings(self._run.pid)
            if event["phase"] == "baseline":
                self._mapped = mapped
            self._set(mappings=tuple(grown_mappings(self._mapped, mapped)))
        if event["phase"] == "run":
            self._set(runs_completed=event["run"])
        self.write()

    def _counted(self, event: Event) -> dict[str, Any]:  # Any: JSON values
        types, found = self._read_and_remove(event["file"], read_census)
        object_bytes = _bytes_of(types)
        left = [
            _bytes_of(self._read_and_remove(file, read_census)[0]) for file in event.get("uncollected", ())
        ]
        return {
            "object_count": sum(count for count, _ in types.values()),
            "object_bytes": object_bytes,
            "collected": event["collected"],
            # Only where it was weighed: by a census before the collection.
            **({"collected_bytes": max(0, left[0] - object_bytes)} if left else {}),
            "collector": event["collector"],
            "memory": {**event["memory"], **found},
            "types": self._changed(types),
        }

    def _numbered(self, event: Event) -> dict[str, Any]:  # Any: JSON values
        # V8 counts no objects by itself: only where a snapshot was taken for it.
        types = event.get("types")
        if event.get("file"):
            types = self._read_and_remove(event["file"], count_snapshot)
        return {
            "object_count": sum(count for count, _ in types.values()) if types else 0,
            "object_bytes": event["memory"]["heap_used_bytes"],
            "collected": 0,
            "memory": event["memory"],
            "types": None if types is None else self._changed(types),
            "last_id": event["last_id"],
        }

    def _read_and_remove(self, file: str, read: Callable[[Path], Read]) -> Read:
        path = self._directory / file
        found = read(path)
        path.unlink()
        return found

    def _changed(self, types: Types) -> Types:
        changed = changed_types(self._types, types)
        self._types = types
        return changed

    def _on_snapshot(self, event: Event) -> None:
        path = self._directory / event["file"]
        row = SnapshotRow(
            file=event["file"],
            run=event["run"],
            pause_seconds=event["pause_seconds"],
            bytes=path.stat().st_size,
        )
        # A program that may end at any moment writes its last snapshot again and again.
        earlier = tuple(each for each in self._run.snapshots if each.file != row.file)
        self._set(snapshots=(*earlier, row))
        self.write()

    def _on_trimmed(self, event: Event) -> None:
        self._set(trim=Trim(event["done"], event["before"], event["after"]))
        self.write()

    def _on_settled(self, event: Event) -> None:
        waited = InFlight(
            tasks_at_rest=event["tasks_at_rest"],
            tasks_before=event["tasks_before"],
            tasks_after=event["tasks_after"],
            waited_seconds=event["waited_seconds"],
            kinds=event.get("kinds", {}),
        )
        self._set(in_flight=waited, children=tuple(event.get("children", ())))

    def _on_child_returned(self, event: Event) -> None:
        self._set(children_returned=self._run.children_returned + 1)

    def ask_for_proof(self, cut: tuple[str, ...], types: tuple[str, ...]) -> None:
        """The next event `proved` is about this cut."""
        # Until the answer is there, for a stop in between.
        self._set(proof=Proof(cut, types, 0, 0, 0, 0, (), "the target did not answer"))

    def _on_proved(self, event: Event) -> None:
        asked = self._run.proof
        assert asked is not None, "a proof that nobody asked for"
        proof = replace(
            asked,
            of=event.get("of", 0),
            freed=event.get("freed", 0),
            others_of=event.get("others_of", 0),
            others_freed=event.get("others_freed", 0),
            not_cleared=tuple(event.get("not_cleared", ())),
            failed=event.get("failed", ""),
        )
        self._set(proof=proof)
        self.write()

    def ask_for_blame(self, slots: tuple[tuple[str, str], ...], runs: int) -> None:
        """The next event `blamed` is about these slots."""
        self._set(blame=Blamed(slots, runs, (), "the target did not answer"))

    def _on_blamed(self, event: Event) -> None:
        asked = self._run.blame
        assert asked is not None, "a blame that nobody asked for"
        slots = dict(enumerate(asked.slots))
        written = tuple(Written(*slots[slot], *row) for slot, *row in event["written"])
        self.tell_blame(written, event["failed"])

    def tell_blame(self, written: tuple[Written, ...], failed: str) -> None:
        """What was seen of the slots that were asked about."""
        assert self._run.blame is not None, "a blame that nobody asked for"
        self._set(blame=replace(self._run.blame, written=written, failed=failed))
        self.write()

    def _on_error(self, event: Event) -> None:
        if self._run.error is None:
            failure = Failure(
                phase=event["phase"],
                run=event["run"],
                type_name=event.get("type", ""),
                message=event["message"],
                hint=event["hint"],
                traceback=event.get("traceback", ""),
            )
            self._set(error=failure)

    def _missing(self) -> tuple[str, ...]:
        run = self._run
        missing = []
        taken, suffix = {entry.stem for entry in run.snapshots}, SUFFIXES[run.runtime]
        if BEFORE not in taken:
            missing.append(f"{BEFORE}{suffix}: the baseline was not reached")
        done, asked = run.runs_completed, run.runs
        if done < asked:
            missing.append(f"runs {done + 1} to {asked}" if asked > done + 1 else f"run {asked}")
        if AFTER not in taken:
            missing.append(f"{AFTER}{suffix}: it stopped before the last snapshot")
        return tuple(missing)


def _bytes_of(types: Types) -> int:
    return sum(size for _, size in types.values())


def changed_types(
    before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """Count and bytes of the types that changed; (0, 0) for those that are gone."""
    changed = {name: figures for name, figures in now.items() if before.get(name) != figures}
    changed.update({name: (0, 0) for name in before if name not in now})
    return dict(sorted(changed.items()))
