"""What the memory ledger says, as plain frozen data: where a process's memory went while the runs went on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MemoryVerdict(StrEnum):
    """What the growth of a process comes from."""

    NONE = "none"
    HEAP = "heap leak"
    NATIVE = "native leak"
    SLACK = "fragmentation"
    MAPPINGS = "mapping growth"
    SEVERAL = "several"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One line of the ledger: so much of the process's resident and swapped memory, before and after.

    `kind`: objects, native, pymalloc_slack, glibc_slack, thread_arena_slack, untouched (below zero: what of
    the blocks nobody has written to), mappings, mapped_files, shared_memory, stacks, leakscan, malloc (all
    of an allocator that does not tell). Of V8: objects, heap_slack, buffers, outside_v8, mapped_files.
    """

    kind: str
    bytes_before: int
    bytes_after: int
    per_run: float
    """the median of the slopes between any two runs: one jump does not move it"""
    goes_on: bool
    """it grew, by more than measuring does, and was still growing at the end"""
    slows_down: bool = False
    """it goes on, by ever less from run to run: caches of a library that fill, or a leak beside them"""

    @property
    def delta(self) -> int:
        return self.bytes_after - self.bytes_before


@dataclass(frozen=True, slots=True)
class FileGrowth:
    """A mapped file of which more is in memory than before."""

    path: str
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, slots=True)
class NativeSite:
    """Blocks that one stack allocated in the runs and nothing freed (`--native`).

    `owner`: whose they are as far as the stack tells: `objects`, `numpy arrays`, ..., "" for nobody's known.
    `stack`: (function, file, line), innermost first, without the frames of the interpreter.
    """

    bytes: int
    blocks: int
    owner: str
    stack: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class MemoryLedger:
    """Resident and swapped memory of the process, row by row; rows and residue add up to the whole."""

    cause: MemoryVerdict
    causes: tuple[str, ...]
    """kinds of the rows that go on growing, the fastest first"""
    runs: int
    bytes_before: int
    bytes_after: int
    rows: tuple[MemoryRow, ...]
    residue_bytes: int
    """growth that no row explains; below 0: what was asked for and never written to"""
    allocator: str
    """who serves `malloc`: `glibc`, or the file of another library, of which no more is known"""
    control_rounds: int
    control_bytes: int
    """what the process grew by in the last of the rounds without work"""
    advice: tuple[str, ...]
    files: tuple[FileGrowth, ...] = ()
    trimmed_bytes: int | None = None
    """what `malloc_trim` gave back (`--trim-probe`)"""
    sites: tuple[NativeSite, ...] = ()
    """who allocated what was not freed, the most first, when the runs were traced (`--native`)"""

    @property
    def delta(self) -> int:
        return self.bytes_after - self.bytes_before

    def row(self, kind: str) -> MemoryRow | None:
        return next((row for row in self.rows if row.kind == kind), None)
