"""The memory ledger: what the process grew by, as rows that add up, and which of them goes on growing.

The figures of each round come from three sources that know nothing of each other: the kernel (resident
and swapped bytes of each kind of mapping), the allocators (what is in use: glibc's own figures, and the
headers of the object allocator's pools), and the walk over the objects (what their blocks take). A row is
the difference of two of them; docs/explanation/memory-ledger.md has each in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from leakscan.analysis.judge.pace import ENOUGH_RUNS, trend_of
from leakscan.analysis.ledger.native_owner import NOBODY_KNOWS
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.results.memory import FileGrowth, MemoryLedger, MemoryRow, MemoryVerdict, NativeSite

Figures = Mapping[str, int]

FEWEST_RUNS: Final = 3
"""With fewer there is a difference, not a slope."""
_MOST_POINTS: Final = 120
_HALF_GOES_ON: Final = 0.25
"""Part of the growth that must fall into the second half of the runs."""
_FALLS: Final = 1.96
"""Standard deviations: growth that falls like this by chance in one of forty captures."""
_FAST: Final = 2.0
"""What slows down and still makes this many times the least that is a finding is one; less is undecided."""
_STEADY: Final = 0.5
"""The slope over all pairs of runs, over the growth from end to end: a single jump gives 0."""
_LEAST: Final = {
    "objects": 64_000,
    "native": 100_000,
    "pymalloc_slack": 1_500_000,
    "glibc_slack": 1_000_000,
    "thread_arena_slack": 1_000_000,
    "mappings": 300_000,
    "mapped_files": 1_000_000,
    "shared_memory": 300_000,
    "stacks": 300_000,
    "malloc": 2_000_000,
    # V8 takes and gives back its heap in steps of megabytes, and compiles for many runs.
    "heap_slack": 16_000_000,
    "buffers": 300_000,
    "outside_v8": 8_000_000,
}
"""Growth in all runs below this is no finding. Rows in whole pages of many mappings need more."""
_BESIDE_OBJECTS: Final = 0.05
"""Native growth beside a growing heap: less than this part of it is rounding, and hidden parts of objects."""
_MINOR: Final = 0.1
_CAUSES: Final = {
    "objects": MemoryVerdict.HEAP,
    "native": MemoryVerdict.NATIVE,
    "pymalloc_slack": MemoryVerdict.SLACK,
    "glibc_slack": MemoryVerdict.SLACK,
    "thread_arena_slack": MemoryVerdict.SLACK,
    "mappings": MemoryVerdict.MAPPINGS,
    "mapped_files": MemoryVerdict.MAPPINGS,
    "shared_memory": MemoryVerdict.MAPPINGS,
    "stacks": MemoryVerdict.NATIVE,
    "malloc": MemoryVerdict.UNDECIDED,
    "heap_slack": MemoryVerdict.SLACK,
    "buffers": MemoryVerdict.NATIVE,
    "outside_v8": MemoryVerdict.UNDECIDED,
}
_LEAKING: Final = frozenset((MemoryVerdict.NATIVE, MemoryVerdict.MAPPINGS))
_NEEDED: Final = ("rss_bytes", "other_anonymous_bytes", "object_block_bytes", "pool_resident_bytes")
_NEEDED_OF_V8: Final = (
    "rss_bytes",
    "anonymous_bytes",
    "heap_total_bytes",
    "heap_used_bytes",
    "external_bytes",
)


@dataclass(frozen=True, slots=True)
class Rounds:
    """The figures after 0, 1, ... runs, those of the rounds without work, and what else was measured.

    `files` are mapped files of which more is in memory than before, the most first. `trimmed_bytes` is what
    malloc_trim gave back, None when it was not tried.
    """

    figures: Sequence[Figures]
    control: Sequence[Figures] = ()
    allocator: str = "glibc"
    files: tuple[FileGrowth, ...] = ()
    trimmed_bytes: int | None = None
    sites: tuple[NativeSite, ...] = ()


def memory_ledger(rounds: Rounds) -> MemoryLedger | None:
    """The ledger of these rounds; None when they do not have the figures (no /proc, an older capture)."""
    figures = rounds.figures
    if len(figures) < 2 or not all(map(_is_told, figures)):
        return None
    tables = [_rows_of(each) for each in figures]
    kinds = [kind for kind in tables[0] if all(kind in table for table in tables)]
    runs = len(figures) - 1
    totals = [_resident(each) for each in figures]
    mapped, residue = _mapped(figures, tables)
    noise = _control_growth(rounds.control)
    rows = []
    for kind in kinds:
        series = mapped if kind == "mappings" else [table[kind] for table in tables]
        least = max(_LEAST.get(kind, 0), 2 * noise.get(kind, 0) * runs)
        goes_on = kind in _LEAST and runs >= FEWEST_RUNS and _goes_on(series, least)
        if kind in ("mapped_files", "shared_memory"):
            # Without new address space it is only more pages of what was mapped before.
            space = figures[-1].get("file_size", 0) - figures[0].get("file_size", 0)
            goes_on = goes_on and 2 * space >= series[-1] - series[0]
        slows_down = goes_on and _slows_down(series, _FAST * least)
        rows.append(MemoryRow(kind, series[0], series[-1], _slope(series), goes_on, slows_down))
    causes = _causes(rows)
    return MemoryLedger(
        cause=_verdict(rows, causes, runs),
        causes=tuple(row.kind for row in causes),
        runs=runs,
        bytes_before=totals[0],
        bytes_after=totals[-1],
        rows=tuple(rows),
        residue_bytes=residue,
        allocator=rounds.allocator,
        control_rounds=len(rounds.control),
        control_bytes=max(0, noise.get("total", 0)),
        advice=tuple(text for row in causes if row.kind != "objects" and (text := _advice(row.kind, rounds))),
        files=rounds.files,
        trimmed_bytes=rounds.trimmed_bytes,
        sites=_told_sites(rounds.sites),
    )


def beyond_the_heap(heap: Verdict, memory: MemoryLedger | None) -> Verdict:
    """The verdict on the process, from that on its heap and the ledger. A leak of the heap stays one."""
    if memory is None or memory.runs < ENOUGH_RUNS or heap is Verdict.LEAK:
        return heap
    found = {
        MemoryVerdict.UNDECIDED if row.slows_down and _CAUSES[row.kind] in _LEAKING else _CAUSES[row.kind]
        for row in major_causes(memory)
    }
    if found & _LEAKING:
        return Verdict.NATIVE
    if heap not in (Verdict.CLEAN, Verdict.WARM_UP, Verdict.BOUNDED):
        return heap
    if MemoryVerdict.UNDECIDED in found:
        return Verdict.INCONCLUSIVE
    return Verdict.SLACK if MemoryVerdict.SLACK in found else heap


def major_causes(memory: MemoryLedger) -> list[MemoryRow]:
    """The rows that go on growing and are no small part of the growth, the fastest first."""
    return _major([row for kind in memory.causes if (row := memory.row(kind)) is not None])


def _major(causes: Sequence[MemoryRow]) -> list[MemoryRow]:
    return [row for row in causes if row.per_run >= _MINOR * causes[0].per_run]


def _resident(figures: Figures) -> int:
    return figures["rss_bytes"] + figures.get("swap_bytes", 0)


def _is_told(figures: Figures) -> bool:
    return all(name in figures for name in _NEEDED) or all(name in figures for name in _NEEDED_OF_V8)


def _v8_rows(figures: Figures) -> dict[str, int]:
    """The same for a process of V8's, by its own words; what malloc keeps free cannot be told in it."""
    resident, heap = _resident(figures), figures["heap_total_bytes"]
    files = figures["rss_bytes"] - figures["anonymous_bytes"]
    return {
        "objects": figures["heap_used_bytes"],
        "heap_slack": heap - figures["heap_used_bytes"],
        "buffers": figures["external_bytes"],
        "outside_v8": resident - files - heap - figures["external_bytes"],
        "mapped_files": files,
    }


def _rows_of(figures: Figures) -> dict[str, int]:
    """The rows of one round. They add up to what is resident, `mappings` taking what is left over."""
    if "heap_total_bytes" in figures:
        return _v8_rows(figures)
    objects = figures["object_block_bytes"]
    pools, pools_used = figures["pool_resident_bytes"], figures["pool_used_bytes"]
    own = figures.get("births_bytes", 0)
    rows = {"objects": objects}
    anonymous = figures["other_anonymous_bytes"] - pools - own
    if "malloc_used_bytes" in figures:
        used, main_used = figures["malloc_used_bytes"], figures["malloc_main_used_bytes"]
        mapped = figures["malloc_mapped_bytes"]
        arena_slack = figures["arena_heap_bytes"] - (used - main_used)
        anonymous -= mapped
        if arena_slack < 0:
            # The heap of a thread arena that is full to its end looks like anybody's mapping.
            taken = min(-arena_slack, max(0, anonymous))
            arena_slack, anonymous = arena_slack + taken, anonymous - taken
        rows["native"] = pools_used + used + mapped - objects
        slack = {
            "pymalloc_slack": pools - pools_used,
            "glibc_slack": figures["main_heap_bytes"] - main_used,
            "thread_arena_slack": arena_slack,
        }
        rows |= {kind: max(0, free) for kind, free in slack.items()}
        # More in use than there is: blocks whose pages nobody has written to are not in memory.
        rows["untouched"] = sum(min(0, free) for free in slack.values())
        rows["mappings"] = anonymous
    else:
        # In use, kept, and mapped by others: without the allocator's own word they are one.
        outside = figures["main_heap_bytes"] + figures["arena_heap_bytes"] + anonymous
        rows["malloc"] = outside - (objects - pools_used)
        rows["pymalloc_slack"] = pools - pools_used
    rows["mapped_files"] = figures["file_bytes"]
    rows["shared_memory"] = figures["shared_bytes"]
    rows["stacks"] = figures["stack_bytes"]
    rows["leakscan"] = own
    return rows


def _mapped(figures: Sequence[Figures], tables: Sequence[Mapping[str, int]]) -> tuple[list[int], int]:
    """The row `mappings` of each round held against the address space, and what that does not explain.

    Pages can only have come with new address space, or with memory that was asked for and not
    written to until now; a block of malloc that nobody writes to is counted as used and not resident.
    """
    if not all("mappings" in table for table in tables):
        return [], 0
    raw = [table["mappings"] for table in tables]
    space = [
        each["other_anonymous_size"] - each["malloc_mapped_bytes"] - each["pool_resident_bytes"]
        for each in figures
    ]
    kept = [
        raw[0] + min(max(now - raw[0], min(0, size - space[0])), max(0, size - space[0]))
        for now, size in zip(raw, space, strict=True)
    ]
    return kept, raw[-1] - kept[-1]


def _control_growth(control: Sequence[Figures]) -> dict[str, int]:
    """What each row, and the whole, grew by in the last round without work."""
    if len(control) < 2 or not all(map(_is_told, control[-2:])):
        return {}
    before, after = _rows_of(control[-2]), _rows_of(control[-1])
    grown = {kind: max(0, after[kind] - before[kind]) for kind in after if kind in before}
    return {**grown, "total": _resident(control[-1]) - _resident(control[-2])}


def _slope(series: Sequence[int]) -> float:
    """Theil and Sen's: the median over all pairs. O(n^2), of at most 120 points."""
    step = -(-len(series) // _MOST_POINTS)
    points = list(enumerate(series))[::-step][::-1]
    slopes = [
        (later - earlier) / (second - first)
        for number, (first, earlier) in enumerate(points)
        for second, later in points[number + 1 :]
    ]
    return float(median(slopes))


def _goes_on(series: Sequence[int], least: int) -> bool:
    runs = len(series) - 1
    grown = series[-1] - series[0]
    if grown < least or _slope(series) * runs < _STEADY * grown:
        return False
    late = series[runs // 2 :]
    # Pools of a library that fill.
    return late[-1] - late[0] >= _HALF_GOES_ON * grown and not _slows_down(series, least)


def _slows_down(series: Sequence[int], enough: float) -> bool:
    """Whether it grows by less from run to run, and by now too slowly to make this much in as many runs."""
    runs = len(series) - 1
    rises = tuple(after - before for before, after in pairwise(series))
    return trend_of(rises) <= -_FALLS and _slope(series[runs // 2 :]) * runs < enough


def _causes(rows: Sequence[MemoryRow]) -> list[MemoryRow]:
    """The rows that go on growing, the fastest first."""
    growing = sorted((row for row in rows if row.goes_on), key=lambda row: (-row.per_run, row.kind))
    objects = max((row.per_run for row in growing if row.kind == "objects"), default=0.0)
    return [row for row in growing if row.kind == "objects" or row.per_run > _BESIDE_OBJECTS * objects]


def _verdict(rows: Sequence[MemoryRow], causes: Sequence[MemoryRow], runs: int) -> MemoryVerdict:
    if runs < FEWEST_RUNS and any(row.delta >= _LEAST.get(row.kind, row.delta + 1) for row in rows):
        return MemoryVerdict.UNDECIDED
    if not causes:
        return MemoryVerdict.NONE
    found = {_CAUSES[row.kind] for row in _major(causes)}
    return found.pop() if len(found) == 1 else MemoryVerdict.SEVERAL


def _told_sites(sites: Sequence[NativeSite]) -> tuple[NativeSite, ...]:
    """The stacks as a reader needs them: without the interpreter's own frames, alike ones put together."""
    found: dict[tuple[str, tuple[tuple[str, str, int], ...]], list[int]] = {}
    for site in sites:
        stack = tuple(frame for frame in site.stack if not _is_machinery(*frame[:2]))
        total = found.setdefault((site.owner, stack), [0, 0])
        total[0] += site.bytes
        total[1] += site.blocks
    told = [NativeSite(size, blocks, owner, stack) for (owner, stack), (size, blocks) in found.items()]
    return tuple(sorted(told, key=lambda site: (-site.bytes, site.owner, site.stack)))


def _is_machinery(function: str, file: str) -> bool:
    if file.endswith(".py"):
        return False
    # gcc names the parts that it makes of one function `main.cold`, `run_mod.constprop.0`.
    if function.partition(".")[0] in _MACHINERY_ITSELF or function.startswith(_MACHINERY):
        return True
    return function == "<unknown>" and file == "<unknown>"


_MACHINERY: Final = (
    *("_PyEval", "PyEval_", "_PyObject", "PyObject_", "_PyFunction", "_PyVectorcall", "PyVectorcall"),
    *("_PyMem", "cfunction_", "method_vectorcall", "vectorcall_", "call_trace", "trace_call_function"),
    *("ffi_call", "_ctypes_callproc", "_call_function_pointer", "PyCFuncPtr_call"),
    *("slot_tp_call", "PyRun_", "pymalloc_", "allocate_from_new_pool", "run_eval_code_obj"),
    *("pyrun_", "Py_RunMain", "Py_BytesMain", "__libc_start", "gen_send_ex"),
)
_MACHINERY_ITSELF: Final = frozenset(
    ("main", "_start", "type_call", "new_arena", "run_mod", "builtin_exec", "gen_send", "method_call")
)
"""Words that a library's own functions may begin with: `main_loop`, `type_call_cache`."""


def _advice(kind: str, rounds: Rounds) -> str:
    if kind == "mapped_files":
        most = f": the most is of {rounds.files[0].path}" if rounds.files else ""
        return f"close what is mapped{most}"
    if kind == "malloc":
        return (
            f"{rounds.allocator} serves malloc and does not tell what is in use: capture with glibc's to tell"
            " a leak from what the allocator keeps"
        )
    if kind == "native" and rounds.sites:
        return ""
    return _ADVICE[kind]


_ADVICE: Final = {
    "native": NOBODY_KNOWS,
    "pymalloc_slack": (
        "objects that stay lie scattered among many that went, and hold their pools: make those that stay"
        " before the others, or have a process of its own for the peaks"
    ),
    "glibc_slack": (
        "glibc keeps free memory between blocks that stay: `--trim-probe` shows what malloc_trim(0) gives"
        " back; MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ make it keep less"
    ),
    "thread_arena_slack": (
        "each thread has an arena of its own, and all keep free memory: set MALLOC_ARENA_MAX=2 where the"
        " process is started"
    ),
    "mappings": (
        "memory is mapped and not unmapped, past malloc: `strace -f -k -e trace=mmap,munmap` names who asks"
    ),
    "shared_memory": "close and unlink shared memory: SharedMemory, mmap(-1, n), memfd",
    "heap_slack": "V8 keeps room in its heap: --max-old-space-size makes it keep less",
    "buffers": (
        "memory of Buffer, ArrayBuffer and WebAssembly belongs to objects: look at what keeps those alive"
    ),
    "outside_v8": (
        "an addon that keeps memory, compiled code, or what glibc keeps free: run it again with"
        " MALLOC_ARENA_MAX=2, and look whether it still grows"
    ),
    "stacks": "threads are started and do not end: look for threading.Thread and executors in the growth",
}
