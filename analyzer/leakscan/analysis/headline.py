"""The first line, which people paste: it must say by itself what leaks, how fast, and where to look."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from leakscan.analysis.ledger.ledger import major_causes
from leakscan.analysis.results.findings import Findings, Leak, Verdict
from leakscan.analysis.results.memory import MemoryLedger, MemoryRow
from leakscan.analysis.stuck.words import never_wake
from leakscan.wording import count_text, size_text, visible

_ROOT: Final = re.compile(r"root '(\w[\w ]*)'")
"""A root is quoted in a pattern, not in a sentence."""
_NEARLY_ALL: Final = 0.95
_LONGER_SETTLE: Final = 60
"""Seconds in which a request that is answered at all is answered."""


def headline(findings: Findings) -> str:
    """The first line for these findings (whose own `headline` is not looked at)."""
    match findings.verdict:
        case Verdict.LEAK:
            return f"LEAK  {_leaks(findings)}"
        case Verdict.INCONCLUSIVE:
            return f"INCONCLUSIVE  {_undecided(findings)}"
        case Verdict.CLEAN:
            return f"NO LEAK  clean: {_clean(findings)}"
        case Verdict.FILLING:
            return f"FILLING  {_filling(findings)}"
        case Verdict.WARM_UP:
            return f"NO LEAK  warm-up only: {_warm_up(findings)}"
        case Verdict.BOUNDED:
            return f"NO LEAK  bounded: {_bounded(findings)}"
        case Verdict.GARBAGE:
            return f"NO LEAK  garbage: {_garbage(findings)}"
        case Verdict.NATIVE:
            return f"NATIVE LEAK  {_native(findings)}"
        case Verdict.SLACK:
            return f"NO LEAK  slack: {_slack(findings)}"


MARKED_MODE: Final = "marked"
"""Of a command whose runs the program, its calls or the clock mark."""


def next_command(findings: Findings, runs_needed: int, *, waits: bool = False) -> str:
    """The command that would decide, "" when the target is not known. `waits`: time would, not runs."""
    if not findings.target or runs_needed <= 0:
        return ""
    if findings.target.startswith("inspector "):
        address = findings.target.removeprefix("inspector ")
        return f"leakscan capture --inspect {address} --snapshots {max(6, findings.runs + 4)} -o DIR"
    if findings.mode == "attach":
        return "leakscan attach again, for more intervals"
    options = (
        f"--runs {runs_needed}" + mode_option(findings) + (f" --settle {_LONGER_SETTLE}" if waits else "")
    )
    command = command_captured(findings)
    return (
        f"leakscan capture {options} {command}"
        if command
        else f"leakscan capture {shlex.quote(findings.target)} {options}"
    )


def mode_option(findings: Findings) -> str:
    """With a space before it; "" for the usual mode, and where the program ends its own streams."""
    return "" if findings.mode in ("", "consume", MARKED_MODE) else f" --mode {findings.mode}"


def command_captured(findings: Findings) -> str:
    """What a capture of a command ends with, from `--` on or from what says which its runs are; else ""."""
    if findings.target.startswith("--"):
        return findings.target
    return f"-- {findings.target}" if findings.mode == MARKED_MODE else ""


def subject(leak: Leak) -> str:
    """What survives, with a name even where the type is anybody's: `20 function on_chunk`."""
    bare = leak.type_name if leak.type_name.startswith("<") else leak.type_name.rpartition(".")[2]
    # A dict is named by the slot it lies in, and the slot is said with the holder.
    named = leak.name.partition(" in ")[0] or bare
    return f"{count_text(leak.count)} {named}"


def where(leak: Leak) -> str:
    """The place to look at: the holder's slot, or the root when no old object holds the survivors."""
    if leak.holder is not None:
        root = _ROOT.fullmatch(leak.holder.label)
        return f"held by {root[1] if root else leak.holder.label}"
    if leak.path.root_kind == "held_from_c":
        return "held from C: an extension keeps a reference"
    if leak.path.root_kind == "uncollected_cycle":
        return f"in a {leak.path.root}, a type that takes no part in garbage collection"
    return f"held by {leak.path.root}"


def _leaks(findings: Findings) -> str:
    leaks = [leak for leak in findings.leaks if leak.verdict is Verdict.LEAK]
    if not leaks:
        return f"{count_text(findings.survivor_count)} objects survive {_runs(findings)}."
    worst = leaks[0]
    retained = sum(leak.exclusive_bytes for leak in leaks)
    native = sum(leak.native_bytes for leak in leaks)
    also = f" and {size_text(native)} of native blocks" if native else ""
    rate = size_text((retained + native) / max(1, findings.runs))
    sizes = f"{size_text(retained)} retained{also}, {rate} per {findings.unit}."
    if len(leaks) == 1 and worst.growth_bytes:
        return f"{subject(worst)} grows: in {_runs(findings)} it {worst.evidence}, {where(worst)}."
    filled = _filled_otherwise(findings, retained + native)
    if len(leaks) == 1:
        verb = "survives" if worst.count == 1 else "survive"
        stuck = never_wake(findings, worst)
        return (
            f"{subject(worst)} {verb} {_runs(findings)}: {worst.evidence}, {where(worst)}{_born_in(worst)}"
            f"{'; ' + stuck if stuck else ''}. {sizes}{filled}"
        )
    stuck = never_wake(findings, worst)
    return (
        f"{count_text(len(leaks))} leaks in {_runs(findings)}; the worst: {subject(worst)}, "
        f"{worst.evidence}, {where(worst)}{_born_in(worst)}{'; ' + stuck if stuck else ''}. "
        f"All: {sizes}{filled}"
    )


def _filled_otherwise(findings: Findings, leaked_bytes: int) -> str:
    """What ended the process where that weighs more than all leaks, and is none by its births."""
    most = max(findings.others, key=lambda leak: leak.filled_bytes, default=None)
    if most is None or most.filled_bytes <= leaked_bytes:
        return ""
    return f" But {subject(most)} filled the memory ({size_text(most.filled_bytes)}), {where(most)}."


def _born_in(leak: Leak) -> str:
    """`, born in POST /chat`, where nearly all are of one kind of work."""
    share = max(leak.works, key=lambda share: share.survivors, default=None)
    if share is None or not share.name or share.survivors < _NEARLY_ALL * leak.count:
        return ""
    return f", born in {share.name}"


def _undecided(findings: Findings) -> str:
    undecided = [leak for leak in findings.leaks if leak.verdict is Verdict.INCONCLUSIVE]
    more = f" Run next: {findings.next_command}" if findings.next_command else ""
    unknown = next((row for row in growing_rows(findings, slack=False) if row.kind in _UNTOLD), None)
    if not undecided and unknown is not None and findings.memory is not None:
        who = "Node" if unknown.kind == "outside_v8" else visible(findings.memory.allocator)
        return f"{_growth([unknown], findings)}; {who} does not tell used from kept.{more}"
    slowing = [row for row in growing_rows(findings, slack=False) if row.slows_down]
    if not undecided and slowing:
        return f"{_growth(slowing, findings)}, by ever less: caches that fill, or a slow leak.{more}"
    if not undecided:
        why = "; ".join(findings.warnings[:1]) or "there is too little to judge"
        return f"{why.rstrip('.')}.{more}"
    worst = undecided[0]
    verb = "survives" if worst.count == 1 else "survive"
    text = f"{subject(worst)} {verb} {_runs(findings)}, {where(worst)}: {worst.evidence}."
    if len(undecided) > 1:
        text += f" {_others(len(undecided) - 1)}."
    return text + more


def _clean(findings: Findings) -> str:
    noise = sum(leak.count for leak in findings.noise)
    if findings.others and not noise:
        return f"what is alive of {_runs(findings)} only took the place of older objects."
    if not noise:
        return f"nothing born in {_runs(findings)} is still alive."
    size = size_text(sum(leak.exclusive_bytes for leak in findings.noise))
    return f"of {_runs(findings)} only {_objects(noise)} ({size}) of library noise is still alive."


def _warm_up(findings: Findings) -> str:
    groups = _with_verdict(findings.leaks, Verdict.WARM_UP)
    count = sum(leak.count for leak in groups) or findings.survivor_count
    size = sum(leak.exclusive_bytes for leak in groups) or findings.survivor_bytes
    last = max((leak.last_run for leak in groups), default=0)
    verb = "was" if count == 1 else "were"
    when = f"by {findings.unit} {last} of {findings.runs}" if last > 1 else f"in {findings.unit} 1"
    return f"{_objects(count)} ({size_text(size)}) {verb} born {when} and none since."


def _bounded(findings: Findings) -> str:
    groups = _with_verdict(findings.leaks, Verdict.BOUNDED)
    if not groups:
        return f"{_objects(findings.survivor_count)} ({size_text(findings.survivor_bytes)}) do not grow."
    worst = groups[0]
    rest = f" {_others(len(groups) - 1)}." if len(groups) > 1 else ""
    return f"{subject(worst)} ({size_text(worst.exclusive_bytes)}), {where(worst)}: {worst.evidence}.{rest}"


def _filling(findings: Findings) -> str:
    groups = _with_verdict(findings.leaks, Verdict.FILLING)
    worst = groups[0]
    rest = f" {_others(len(groups) - 1)}." if len(groups) > 1 else ""
    size = size_text(worst.exclusive_bytes)
    return f"{subject(worst)} ({size}), {where(worst)}: {worst.evidence}.{_when_full(worst)}{rest}"


def _when_full(leak: Leak) -> str:
    """What it will weigh when it is full, from what it holds today."""
    holder = leak.holder
    if holder is None or not holder.bound or not leak.count:
        return ""
    return f" Full it weighs {size_text(leak.exclusive_bytes / leak.count * holder.bound)}."


def _garbage(findings: Findings) -> str:
    verb = "was" if findings.garbage_count == 1 else "were"
    return (
        f"{_objects(findings.garbage_count)}{garbage_size(findings)} {verb} only waiting for the "
        "garbage collector; nothing holds them."
    )


def garbage_size(findings: Findings) -> str:
    """` (1.2 MB)` or ` (1.2 MB after the last run)`: what the collector frees, "" when not known."""
    if findings.garbage_bytes:
        return f" ({size_text(findings.garbage_bytes)})"
    each = findings.garbage_bytes_per_run
    return f" ({size_text(each)} after the last {findings.unit})" if each else ""


ROW_NAMES: Final = {
    "objects": "Python objects",
    "native": "native blocks",
    "pymalloc_slack": "free memory in Python's pools",
    "glibc_slack": "free memory in glibc's heap",
    "thread_arena_slack": "free memory in thread arenas",
    "untouched": "parts of native blocks that nobody has written to",
    "mappings": "anonymous mappings",
    "mapped_files": "mapped files",
    "shared_memory": "shared memory",
    "stacks": "stacks",
    "leakscan": "leakscan's own",
    "malloc": "malloc and mappings",
    "heap_slack": "free memory in V8's heap",
    "buffers": "buffers outside V8's heap",
    "outside_v8": "memory outside V8",
}


def row_names(memory: MemoryLedger) -> Mapping[str, str]:
    """What each row is called, in this ledger."""
    return {**ROW_NAMES, "objects": "objects in V8's heap"} if memory.row("outside_v8") else ROW_NAMES


_UNTOLD: Final = ("malloc", "outside_v8")


def growing_rows(findings: Findings, *, slack: bool) -> list[MemoryRow]:
    """Rows of the ledger that go on growing outside of the heap: what is free in it, or what is used."""
    memory = findings.memory
    if memory is None:
        return []
    return [
        row for row in major_causes(memory) if row.kind != "objects" and row.kind.endswith("slack") == slack
    ]


def _native(findings: Findings) -> str:
    rows = growing_rows(findings, slack=False)
    heap = "some of the heap is undecided" if _is_heap_undecided(findings) else "the heap does not grow"
    where = "outside of V8's heap" if findings.runtime.startswith(("node", "v8")) else "in no Python object"
    return f"{_growth(rows, findings)}, {where}; {heap}."


def _slack(findings: Findings) -> str:
    rows = growing_rows(findings, slack=True)
    return f"{_growth(rows, findings)}: kept by the allocator, not leaked."


def _growth(rows: Sequence[MemoryRow], findings: Findings) -> str:
    """`native blocks grow by 524 kB per run, 4.19 MB in 8 runs`."""
    names = " and ".join(ROW_NAMES[row.kind] for row in rows)
    is_one = len(rows) == 1 and rows[0].kind.endswith(("slack", "shared_memory", "outside_v8"))
    verb = "grows" if is_one else "grow"
    total = sum(row.delta for row in rows)
    per_run = size_text(total / max(1, findings.runs))
    return f"{names} {verb} by {per_run} per {findings.unit}, {size_text(total)} in {_runs(findings)}"


def _is_heap_undecided(findings: Findings) -> bool:
    return any(leak.verdict is Verdict.INCONCLUSIVE for leak in (*findings.leaks, *findings.others))


def _with_verdict(leaks: Sequence[Leak], verdict: Verdict) -> list[Leak]:
    return [leak for leak in leaks if leak.verdict is verdict]


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count_text(count)} objects"


def _others(count: int) -> str:
    return "1 other group like it" if count == 1 else f"{count_text(count)} other groups like it"


def _runs(findings: Findings) -> str:
    if not findings.runs:
        return "the time between the snapshots"
    return f"1 {findings.unit}" if findings.runs == 1 else f"{count_text(findings.runs)} {findings.unit}s"
