"""What several processes of one supervisor have in common."""

from __future__ import annotations

from dataclasses import dataclass

from leakscan.analysis.results.findings import Leak


@dataclass(frozen=True, slots=True)
class SharedLeak:
    """A leak by its signature, and what it is in each worker that has it; `leak` is the heaviest.

    In `undecided` of them too little was seen for a verdict.
    """

    leak: Leak
    workers: tuple[str, ...]
    counts: tuple[int, ...]
    bytes: int
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """A worker's memory at its first and its last snapshot.

    `own_bytes` are pages that no other process has. `copy_on_write_bytes` are those that it still has in
    common with its supervisor or other workers: each write, also of a reference count, makes one its own.
    """

    worker: str
    rss_bytes_before: int
    rss_bytes_after: int
    own_bytes_before: int
    own_bytes_after: int
    copy_on_write_bytes_before: int
    copy_on_write_bytes_after: int

    @property
    def copied_bytes(self) -> int:
        """What became its own and was there before: growth of its own pages that is no new memory."""
        given_up = self.copy_on_write_bytes_before - self.copy_on_write_bytes_after
        return max(0, min(given_up, self.own_bytes_after - self.own_bytes_before))


@dataclass(frozen=True, slots=True)
class MergedWorkers:
    """`count` are the workers that were looked at, `leaks` what at least one of them has."""

    count: int
    leaks: tuple[SharedLeak, ...]
    memory: tuple[WorkerMemory, ...]
