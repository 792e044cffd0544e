"""Write run.json and census.jsonl while the target runs, so that any stop leaves them readable."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from leakscan import __version__
from leakscan.capture.directory.census import count_snapshot, read_census
from leakscan.capture.directory.mappings import file_mappings, grown_mappings
from leakscan.capture.directory.reader import (
    AFTER,
    BEFORE,
    CAPTURE_VERSION,
    CENSUS_FILE,
    RUN_FILE,
    SUFFIXES,
    Capture,
    read_capture,
)

Event = dict[str, Any]  # Any: JSON values, from the driver
Types = dict[str, tuple[int, int]]
Read = TypeVar("Read")


def empty_run(known: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
    """What run.json holds when a capture begins, with what is `known` of it already."""
    return {
        "format": "leakscan-capture",
        "version": CAPTURE_VERSION,
        "leakscan": __version__,
        "status": "running",
        "scenario": "",
        "runs_completed": 0,
        "implementation": "",
        "version_of_runtime": "",
        "platform": "",
        "executable": "",
        "started_in": os.getcwd(),
        "pid": 0,
        "started_unix": round(time.time(), 3),
        "ended_unix": None,
        "snapshots": [],
        "census": CENSUS_FILE,
        "ended": {},
        "in_flight": None,
        "proof": None,
        "trim": None,
        "allocator": "",
        "mappings": [],
        "missing": [],
        "error": None,
        **known,
    }


class Ledger:
    """The capture directory as it fills. Every event of the driver is recorded before the next is read."""

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:  # Any: JSON values
        self._directory = directory
        self._types: dict[str, tuple[int, int]] = {}
        self._ended: Counter[str] = Counter()
        self._mapped: dict[str, int] = {}
        self._run = empty_run(settings)
        self.write()

    @property
    def run(self) -> dict[str, Any]:
        """What run.json holds."""
        return self._run

    @property
    def has_snapshots(self) -> bool:
        return bool(self._run["snapshots"])

    def record(self, event: Event) -> None:
        """Take in one event of the driver. OSError: the disk is full."""
        handler = getattr(self, "_on_" + event["event"], None)
        if handler is not None:
            handler(event)

    def fail(self, *, phase: str, run: int, message: str, hint: str = "") -> None:
        """Record why the capture stopped; what the driver said first stays."""
        if self._run["error"] is None:
            self._on_error({"phase": phase, "run": run, "message": message, "hint": hint})

    def pause(self) -> Capture:
        """The capture as it is while the target waits to be told whether that is all."""
        self._run["status"] = "complete"
        self.write()
        return read_capture(self._directory)

    def reopen(self, runs: int) -> None:
        """More runs follow: the last snapshot is no longer the last."""
        run = self._run
        run["status"], run["runs"] = "running", runs
        run["snapshots"] = [entry for entry in run["snapshots"] if not _is_named(entry, AFTER)]
        self.write()

    def close(self, status: str) -> None:
        """Give the capture its last status, and say what is missing."""
        run = self._run
        run["status"] = status
        run["ended_unix"] = round(time.time(), 3)
        run["missing"] = self._missing()
        for leftover in self._directory.glob(".census-*"):
            leftover.unlink()
        listed = {entry["file"] for entry in run["snapshots"]}
        for snapshot in self._directory.glob("*.heap*"):
            # Cut off in the middle it is of no use, and on a full disk run.json needs its room.
            if snapshot.name not in listed:
                snapshot.unlink()
        self.write()

    def write(self) -> None:
        write_whole(self._directory / RUN_FILE, self._run)

    def _on_started(self, event: Event) -> None:
        for name in ("python", "implementation", "executable", "platform", "pid"):
            self._run[name] = event[name]
        self._run["allocator"] = event.get("allocator", "")
        self._run["version_of_runtime"] = event.get("version") or event["python"]
        self.write()

    def _on_run_end(self, event: Event) -> None:
        self._run["scenario"] = event["kind"]
        if not event["warmup"]:
            self._ended[event["ended"]] += 1
            self._run["ended"] = dict(sorted(self._ended.items()))

    def _on_census(self, event: Event) -> None:
        row = {"phase": event["phase"], "run": event["run"]}
        row |= self._counted(event) if self._run["runtime"] == "cpython" else self._numbered(event)
        row |= {name: event[name] for name in ("tasks", "seconds")}
        with (self._directory / CENSUS_FILE).open("a", encoding="utf-8", errors="backslashreplace") as lines:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
        if event["phase"] in ("baseline", "settled") and self._run["pid"] != os.getpid():
            # Read from outside: the target shall not hold the text of its own maps.
            mapped = file_mappings(self._run["pid"])
            if event["phase"] == "baseline":
                self._mapped = mapped
            self._run["mappings"] = grown_mappings(self._mapped, mapped)
        if event["phase"] == "run":
            self._run["runs_completed"] = event["run"]
        self.write()

    def _counted(self, event: Event) -> dict[str, Any]:  # Any: JSON values
        types, found = self._read_and_remove(event["file"], read_census)
        return {
            "object_count": sum(count for count, _ in types.values()),
            "object_bytes": sum(size for _, size in types.values()),
            "collected": event["collected"],
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
        self._run["snapshots"].append(
            {
                "file": event["file"],
                "run": event["run"],
                "pause_seconds": event["pause_seconds"],
                "bytes": path.stat().st_size,
            }
        )
        self.write()

    def _on_trimmed(self, event: Event) -> None:
        self._run["trim"] = {name: event[name] for name in ("done", "before", "after")}
        self.write()

    def _on_settled(self, event: Event) -> None:
        self._run["in_flight"] = {name: value for name, value in event.items() if name != "event"}

    def ask_for_proof(self, cut: tuple[str, ...], types: tuple[str, ...], uncleared: tuple[str, ...]) -> None:
        """The next event `proved` is about this cut, of which `uncleared` will not be tried."""
        left = [f"{pattern} is held by the interpreter itself" for pattern in uncleared]
        # Until the answer is there, for a stop in between.
        counts = dict.fromkeys(("of", "freed", "others_of", "others_freed"), 0)
        unanswered = {**counts, "not_cleared": left, "failed": "the target did not answer"}
        self._run["proof"] = {**unanswered, "cut": list(cut), "types": list(types)}

    def _on_proved(self, event: Event) -> None:
        self._run["proof"] |= {
            "of": event.get("of", 0),
            "freed": event.get("freed", 0),
            "others_of": event.get("others_of", 0),
            "others_freed": event.get("others_freed", 0),
            "not_cleared": [*self._run["proof"]["not_cleared"], *event.get("not_cleared", [])],
            "failed": event.get("failed", ""),
        }
        self.write()

    def _on_error(self, event: Event) -> None:
        if self._run["error"] is None:
            self._run["error"] = {
                "phase": event["phase"],
                "run": event["run"],
                "type_name": event.get("type", ""),
                "message": event["message"],
                "hint": event["hint"],
                "traceback": event.get("traceback", ""),
            }

    def _missing(self) -> list[str]:
        run = self._run
        missing = []
        taken, suffix = run["snapshots"], SUFFIXES[run["runtime"]]
        if not any(_is_named(entry, BEFORE) for entry in taken):
            missing.append(f"{BEFORE}{suffix}: the baseline was not reached")
        done, asked = run["runs_completed"], run["runs"]
        if done < asked:
            missing.append(f"runs {done + 1} to {asked}" if asked > done + 1 else f"run {asked}")
        if not any(_is_named(entry, AFTER) for entry in taken):
            missing.append(f"{AFTER}{suffix}: it stopped before the last snapshot")
        return missing


def changed_types(
    before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """Count and bytes of the types that changed; (0, 0) for those that are gone."""
    changed = {name: figures for name, figures in now.items() if before.get(name) != figures}
    changed.update({name: (0, 0) for name in before if name not in now})
    return dict(sorted(changed.items()))


def _is_named(snapshot: dict[str, Any], stem: str) -> bool:  # Any: JSON values
    return Path(snapshot["file"]).stem == stem


def write_modes(directory: Path, target: str, statuses: dict[str, str]) -> None:
    """Write the run.json above one capture for each mode. OSError: the disk is full."""
    index = {
        "format": "leakscan-capture",
        "version": CAPTURE_VERSION,
        "leakscan": __version__,
        "target": target,
        "mode": "all",
        "modes": statuses,
    }
    write_whole(directory / RUN_FILE, index)


def write_whole(path: Path, content: dict[str, Any]) -> None:  # Any: JSON values
    # A reader, or a kill, in the middle of it finds the earlier text.
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    partial = path.with_name(path.name + ".partial")
    try:
        # Lone surrogates in a message of the target must not stop the record of it.
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
