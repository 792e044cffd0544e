"""One answer for the workers of a supervisor: the same leak in several of them is one leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leakscan.analysis.results.findings import Findings, Leak, Verdict
from leakscan.analysis.results.workers import MergedWorkers, SharedLeak, WorkerMemory


@dataclass(frozen=True, slots=True)
class WorkersAnswer:
    """`workers` are the findings of each, `mode` being its name; `heaviest` is the one that says most."""

    workers: tuple[Findings, ...]
    unreadable: tuple[tuple[str, str], ...]
    leaks: tuple[SharedLeak, ...]
    heaviest: Findings
    memory: tuple[WorkerMemory, ...] = ()

    @property
    def merged(self) -> MergedWorkers:
        """Without what each worker says of itself."""
        return MergedWorkers(self.count, self.leaks, self.memory)

    @property
    def count(self) -> int:
        return len(self.workers) + len(self.unreadable)


def answer_of_workers(
    workers: Sequence[Findings],
    unreadable: Sequence[tuple[str, str]],
    memory: Sequence[WorkerMemory] = (),
) -> WorkersAnswer:
    """The findings of at least one worker, merged by the signatures of their leaks."""
    found: dict[str, list[tuple[Findings, Leak]]] = {}
    for findings in workers:
        for leak in findings.leaks:
            found.setdefault(leak.signature, []).append((findings, leak))
    leaks = [_shared(rows) for rows in found.values()]
    leaks.sort(key=lambda shared: (-len(shared.workers), -shared.bytes, shared.leak.signature))
    heaviest = max(workers, key=lambda one: (sum(map(_bytes, one.leaks)), len(one.leaks), one.mode))
    return WorkersAnswer(tuple(workers), tuple(unreadable), tuple(leaks), heaviest, tuple(memory))


def _shared(rows: list[tuple[Findings, Leak]]) -> SharedLeak:
    ordered = sorted(rows, key=lambda row: row[0].mode)
    # One that was judged speaks for those that were not.
    judged = [row for row in ordered if row[1].verdict is not Verdict.INCONCLUSIVE] or ordered
    heaviest = max(judged, key=lambda row: (_bytes(row[1]), row[0].mode))[1]
    return SharedLeak(
        leak=heaviest,
        workers=tuple(findings.mode for findings, _ in ordered),
        counts=tuple(leak.count for _, leak in ordered),
        bytes=sum(_bytes(leak) for _, leak in ordered),
        undecided=sum(leak.verdict is Verdict.INCONCLUSIVE for _, leak in ordered),
    )


def _bytes(leak: Leak) -> int:
    return leak.exclusive_bytes + leak.shared_bytes
