"""What the analysis finds, as plain frozen data: the only thing reports are made from.

Order everywhere is deterministic: worst first, ties by name. Nothing here holds an address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from leakscan.analysis.results.memory import MemoryLedger
from leakscan.analysis.results.waits import Stuck, StuckSurvivors
from leakscan.analysis.results.works import WorkShare

FINDINGS_VERSION = 1


class Verdict(StrEnum):
    """What is said of a capture and of each leak; docs/explanation/verdicts.md says when."""

    LEAK = "leak"
    FILLING = "filling"
    """a bound is visible and not reached yet"""
    WARM_UP = "warm-up"
    BOUNDED = "bounded"
    GARBAGE = "garbage"
    NATIVE = "native"
    SLACK = "slack"
    CLEAN = "clean"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Growth:
    """One row of the types table.

    `births[r]` is the number of survivors of this type born in run r + 1. `retained_bytes` is what
    would be freed with all survivors of the type (None when it was not computed).
    """

    type_name: str
    count_before: int
    count_after: int
    bytes_before: int
    bytes_after: int
    births: tuple[int, ...]
    per_run: float
    retained_bytes: int | None
    verdict: Verdict

    @property
    def delta(self) -> int:
        return self.count_after - self.count_before


@dataclass(frozen=True, slots=True)
class Step:
    """One reference of a path, and the object it leads to.

    `reference` is the text a developer would write (`._runs`, `['run-17']`, `[*]`, "local `run`");
    steps a reader need not see (`__dict__`, a closure's tuple and cell) are folded into one.
    `kind` is the Kind's name in lower case. `note` is what is known of the object besides its type:
    "born before the runs", "1 per run", "0 -> 20 entries".
    """

    reference: str
    kind: str
    type_name: str
    name: str = ""
    file: str = ""
    line: int = 0
    is_holder: bool = False
    is_survivor: bool = False
    is_new: bool = False
    note: str = ""
    object: int = field(default=0, compare=False)
    """the same number in two steps of one answer is the same object; 0 when that is not known"""


@dataclass(frozen=True, slots=True)
class Path:
    """From a root to a survivor. `root` reads `module streamlab.workflow`, `thread MainThread` ..."""

    root: str
    root_kind: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Holder:
    """The old object whose references to new objects grow.

    `label` names the slot as the cut patterns do (`Workflow._runs`); `entries_before/after` count
    its references; `file`/`line` say where the slot (or the class that owns it) is defined.
    """

    label: str
    type_name: str
    entries_before: int | None
    entries_after: int
    bound: int | None = None
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class CutMember:
    """One slot of a cut: `pattern` is what `whatif --cut` takes. Effects in objects and bytes."""

    pattern: str
    reference_count: int
    frees_alone: int
    frees_alone_bytes: int
    frees_old: int = 0
    """objects alive before the runs that would be freed too"""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """The smallest set of slots that frees the survivors of a leak (or of all leaks together)."""

    members: tuple[CutMember, ...]
    frees: int
    of: int
    frees_bytes: int
    is_minimal: bool = True
    """False when the search was cut short: said in the report."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A line that put references into the slot `pattern`: `count` of the `of` that were seen there."""

    pattern: str
    file: str
    line: int
    function: str
    count: int
    of: int
    runs: int = 0
    """further runs in which it did"""
    caller_file: str = ""
    """the nearest line of the program, where the line itself is a library's"""
    caller_line: int = 0
    caller_function: str = ""
    task: str = ""
    """coroutine of the asyncio task that did it"""
    made: bool = False
    """Node: where the function begins that made the entry; another one may have stored it"""


@dataclass(frozen=True, slots=True)
class Leak:
    """Survivors with the same generalised path.

    `noise` is "" for a leak of the program, else why it is library noise (a row of the noise table).
    `exclusive_bytes` are reachable only through these survivors; `shared_bytes` also from elsewhere
    among the new objects. `rate` is survivors per run; `every_run` is true when each run left exactly
    `rate`. `first_run`/`last_run` are the births seen (0 when births are unknown).
    """

    signature: str
    type_name: str
    count: int
    exclusive_bytes: int
    shared_bytes: int
    verdict: Verdict
    evidence: str
    rate: float
    every_run: bool
    first_run: int
    last_run: int
    births: tuple[int, ...]
    path: Path
    also_held_by: tuple[Path, ...]
    holder: Holder | None
    cut: Cut | None
    noise: str = ""
    name: str = ""
    """what builtin objects are called by what owns them: `function on_chunk`, `dict in Plugin.seen[*]`"""
    growth_bytes: int = 0
    """what one single object grew by; 0 for a leak of objects"""
    contents: tuple[tuple[str, int, int], ...] = ()
    """(type, count, bytes) of what the survivors hold, biggest first"""
    sites: tuple[tuple[str, int, str, int], ...] = ()
    """(file, line, function, count) where the survivors were allocated (`--sites`)"""
    written_by: tuple[Writer, ...] = ()
    """lines that filled its slots in further runs (`--blame`): those of the holder first, most first"""
    slots: tuple[str, ...] = ()
    """patterns of the places that keep them alive, the one of `path` first: what a leak is recognised by"""
    in_use: int = 0
    """how many of them something else holds as well that lets go by itself: a worker's loop variable"""
    in_use_by: tuple[str, ...] = ()
    """the slots of what holds those"""
    native_types: tuple[tuple[str, int], ...] = ()
    """(type, count) of those of compiled modules in it: what their libraries keep for them is in no size"""
    filled_bytes: int = 0
    """of what came until the process was at its memory limit, where it is a good part of that; else 0"""
    native_bytes: int = 0
    """native blocks in all runs that go with it: it alone has objects that can account for them"""
    stuck: StuckSurvivors | None = None
    """tasks or threads in it that can never wake; None when there are none"""
    works: tuple[WorkShare, ...] = ()
    """whose requests they are, where the program names works (`leakscan.work`); most bytes first"""


@dataclass(frozen=True, slots=True)
class CycleFinding:
    """A strongly connected component among survivors that only matters for explaining garbage."""

    type_names: tuple[str, ...]
    object_count: int
    bytes: int
    is_garbage: bool
    through_uncollected_type: str = ""
    """name of the extension type that takes no part in collection, when the cycle passes one"""
    cycle_count: int = 1
    """cycles of this shape; the other figures are of all of them together"""


@dataclass(frozen=True, slots=True)
class Projection:
    """Retained bytes after `runs` runs at the measured rate, with its 95 % interval.

    `basis`: "objects" for what the survivors weigh, "faster" where each run left more than the one before it,
    "process" for the pace of the process, without interval.
    """

    runs: int
    bytes: int
    low_bytes: int
    high_bytes: int
    objects: int
    basis: str = "objects"


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One row of the per-run census: after run `run`, settled and collected."""

    run: int
    object_count: int
    object_bytes: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Findings:
    """The whole answer for one capture or one pair of snapshots."""

    verdict: Verdict
    headline: str
    """the first line, which must stand alone"""
    identity: str
    """how new was told from old: "births", "node id", or "address, approximate" """
    runs: int
    warmup: int
    mode: str
    target: str
    runtime: str
    growth: tuple[Growth, ...]
    leaks: tuple[Leak, ...]
    """the groups that make the verdict, worst first"""
    noise: tuple[Leak, ...]
    cut: Cut | None
    cycles: tuple[CycleFinding, ...]
    projections: tuple[Projection, ...]
    per_run: tuple[RunFigures, ...]
    survivor_count: int
    survivor_bytes: int
    garbage_count: int
    garbage_bytes: int
    """of what waited in the last snapshot"""
    garbage_bytes_per_run: int = 0
    """what the last run left to the collector, 0 where nothing of it was weighed"""
    others: tuple[Leak, ...] = ()
    """groups of survivors that weigh less than the verdict: warm-up and bounded ones beside a leak"""
    proof: str = ""
    """what clearing the cut in a forked child of the target did, in one sentence, "" when it was not tried"""
    memory: MemoryLedger | None = None
    """where the process's memory went, None when it was not measured"""
    stuck: Stuck | None = None
    """who can never wake in the last snapshot, those from before the runs as well; None when nobody waits"""
    works: tuple[WorkShare, ...] = ()
    """every work that began between the snapshots, and what it left in `leaks`; most bytes first"""
    next_command: str = ""
    """what to run next when inconclusive"""
    warnings: tuple[str, ...] = ()
    omitted: tuple[str, ...] = ()
    """what was left out and how to see it; never silently"""
    unit: str = "run"
    """what births and rates are counted by: "run", or "interval" for a series of snapshots"""
    version: int = field(default=FINDINGS_VERSION)
