"""Watch every Python process below one: a threshold is each worker's, and a snapshot is of all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from leakscan.capture.process.attached_tree import AttachedTree
from leakscan.capture.process.vitals import Process, ProcessGone, Vitals
from leakscan.capture.process.workers import workers_below
from leakscan.capture.watch.actions import SERIES_INTERVALS, Action, Actor
from leakscan.capture.watch.moments import moments
from leakscan.capture.watch.watch import Acted, Alarm, Breaker, Ended, Rules
from leakscan.capture.watch.watch import as_json as of_one
from leakscan.errors import CaptureError, LeakscanError


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker at one look."""

    pid: int
    vitals: Vitals


@dataclass(frozen=True, slots=True)
class TreeLook:
    """One look at all workers that there are.

    `own_bytes` are the pages that no other process has; what workers share with each other and with their
    supervisor is counted in each worker's RSS, and here nowhere.
    """

    time_unix: float
    workers: tuple[Worker, ...]

    @property
    def rss_bytes(self) -> int:
        return sum(worker.vitals.rss_bytes for worker in self.workers)

    @property
    def own_bytes(self) -> int:
        return sum(worker.vitals.uss_bytes for worker in self.workers)

    @property
    def copy_on_write_bytes(self) -> int:
        """Of the RSS of all: pages that the next write to them copies."""
        return sum(worker.vitals.copy_on_write_bytes for worker in self.workers)


TreeEvent = TreeLook | Alarm | Acted | Ended


def watch_tree(
    supervisor: Process,
    rules: Rules,
    *,
    every_seconds: float = 1.0,
    for_seconds: float = float("inf"),
    wait: Callable[[float], object] = time.sleep,
) -> Generator[TreeEvent, None, None]:
    """Looks at the workers of that process until it ends or the time is over, and the alarms in between.

    Signals and commands are for the worker that passed the threshold; `snapshot=` and `series=` look at all.
    """
    seen = _Seen(supervisor, rules, _TreeSeries(supervisor.pid, rules.series_seconds))
    try:
        for _ in moments(every_seconds=every_seconds, for_seconds=for_seconds, wait=wait):
            try:
                supervisor.check()
            except ProcessGone:
                yield Ended(time.time())
                return
            yield from seen.look()
    finally:
        seen.close()


@dataclass(slots=True)
class _TreeSeries:
    """Snapshots of all workers into one directory, one after the other."""

    pid: int
    every_seconds: float
    tree: AttachedTree | None = None
    left: int = 0
    due: float = 0.0

    def take(self, action: Action) -> str:
        if self.tree is not None:
            return f"the series in {self.tree.directory} is still running"
        is_series = action.kind == "series"
        try:
            tree = AttachedTree(Path(action.argument), self.pid, overwrite=False)
            said = _told(tree, arm=is_series)
        except LeakscanError as error:
            return f"{action.kind} failed: {error.message}"
        if is_series:
            self.tree, self.left, self.due = tree, SERIES_INTERVALS, time.monotonic() + self.every_seconds
        return said

    def go_on(self, now: float) -> Iterator[str]:
        if self.tree is None or now < self.due:
            return
        self.left -= 1
        self.due = now + self.every_seconds
        yield _told(self.tree, arm=True)
        if not self.left:
            self.close()

    def close(self) -> None:
        """No worker stays armed."""
        tree, self.tree = self.tree, None
        if tree is not None:
            tree.disarm()


def _told(tree: AttachedTree, *, arm: bool) -> str:
    looked = tree.look(arm=arm)
    taken = [each.taken for each in looked if each.taken is not None]
    failed = [f"worker {each.pid}: {each.error.message}" for each in looked if each.error is not None]
    pause = max((each.pause_seconds for each in taken), default=0.0)
    workers = f"{len(taken)} of {len(looked)} workers"
    said = f"{tree.directory}: {workers}, none stood still for more than {pause:.3f} s"
    return "; ".join([said, *failed])


@dataclass(slots=True)
class _Seen:
    supervisor: Process
    rules: Rules
    series: _TreeSeries
    processes: dict[int, Process] = field(default_factory=dict)
    breakers: dict[int, Breaker] = field(default_factory=dict)
    alarms: int = 0
    last_alarm: float = float("-inf")

    def look(self) -> Iterator[TreeEvent]:
        now = time.time()
        workers = tuple(self._workers())
        yield TreeLook(now, workers)
        for worker in workers:
            reason = self.breakers[worker.pid].reason_to_act(worker.vitals)
            if reason and self._may_act(now):
                yield Alarm(now, f"worker {worker.pid}: {reason}", tuple(self._done(worker.pid, reason)))
        for said in self.series.go_on(time.monotonic()):
            yield Acted(time.time(), said)

    def close(self) -> None:
        self.series.close()
        for process in self.processes.values():
            process.close()
        self.processes.clear()

    def _may_act(self, now: float) -> bool:
        """All workers together act no more often than one process would."""
        if self.alarms >= self.rules.most_alarms or now - self.last_alarm < self.rules.cooldown_seconds:
            return False
        self.alarms += 1
        self.last_alarm = now
        return True

    def _done(self, pid: int, reason: str) -> Iterator[str]:
        for action in self.rules.actions:
            if self.rules.is_dry_run:
                yield f"dry run: {action.kind}={action.argument}"
            elif action.kind in ("snapshot", "series"):
                yield self.series.take(action)
            else:
                yield Actor(self.processes[pid]).perform(action, reason)

    def _workers(self) -> Iterator[Worker]:
        found = set(workers_below(self.supervisor.pid))
        for pid in sorted(found - self.processes.keys()):
            try:
                self.processes[pid] = Process(pid)
            except CaptureError:
                continue  # it ended at once
            # How often to act is said for the tree; a worker's history only says whether there is a reason.
            rules = Rules(self.rules.thresholds, cooldown_seconds=0.0, most_alarms=2**31)
            self.breakers[pid] = Breaker(rules)
        for pid, process in sorted(self.processes.items()):
            try:
                yield Worker(pid, process.vitals())
            except (ProcessGone, CaptureError):
                process.close()
                del self.processes[pid], self.breakers[pid]


def as_json(event: TreeEvent) -> dict[str, object]:
    """One line of `--json`."""
    if not isinstance(event, TreeLook):
        return of_one(event)
    return {
        "event": "tree",
        "time_unix": event.time_unix,
        "rss_bytes": event.rss_bytes,
        "own_bytes": event.own_bytes,
        "copy_on_write_bytes": event.copy_on_write_bytes,
        "workers": [{"pid": worker.pid, **asdict(worker.vitals)} for worker in event.workers],
    }
