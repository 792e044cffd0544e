"""What ends by itself once something else is gone, so that its own root is no reason to name.

A worker of a `ThreadPoolExecutor` waits on its queue and ends when the executor is collected
(`concurrent.futures.thread._worker` of CPython 3.11-3.15 holds it weakly): what its stack keeps alive is kept
alive by whatever keeps the executor. `threading` and asyncio list what is under way, and strike it off when
it ends. An entry of a weak table goes with what it refers to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.kernels import NO, Csr
from leakscan.analysis.graph.refs import frames_below, refs_from
from leakscan.analysis.slots.reach import NewGraph, Reach
from leakscan.analysis.slots.slot import SlotTable
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import Kind, RootKind

BOOKKEEPING: Final = frozenset(
    (
        "threading._active[*]",
        "threading._limbo[*]",
        "threading._shutdown_locks[*]",
        "threading._dangling.data[*]",
        "concurrent.futures.thread._threads_queues.data[*]",
        "multiprocessing.process._children[*]",
        "multiprocessing.process._dangling.data[*]",
        "subprocess._active[*]",
        "root 'exception being handled'",
    )
)
"""Slots of the standard library whose entries go when what they list has ended (CPython 3.11-3.15)."""
Bools = npt.NDArray[np.bool_]

_WORKER: Final = "_worker"
_EXECUTOR: Final = "executor_reference"


_HANDLED: Final = "exception being handled"
_ARGUMENTS: Final = ("dict", "tuple", "method", "function", "functools.partial")


def with_endings(reach: Reach, new: NewGraph, table: SlotTable) -> tuple[Csr, U32, U32]:
    """(the new graph with a reference from each executor to the stacks of its workers, and from each stack to
    the arguments of its thread; entries without their roots). Without new threads, what is there already."""
    stacks = _new_stacks(reach, new)
    pairs = _executors(reach, new, stacks)
    held = [frame for _, frame in pairs]
    arguments = _arguments(reach, new, stacks)
    pairs += arguments
    held += [obj for _, obj in arguments]
    weak, struck = _weak_tables(reach, new, table)
    pairs += weak
    if not pairs:
        return new.csr, table.entry_objects, table.entry_slots
    csr = new.csr
    counts = (csr.first_ref[1:] - csr.first_ref[:-1]).astype(np.int64)
    sources = np.repeat(np.arange(csr.object_count), counts)
    sources = np.concatenate((sources, [source for source, _ in pairs]))
    targets = np.concatenate((csr.targets, np.array([target for _, target in pairs], np.uint32)))
    order = np.argsort(sources, kind="stable")
    first = np.zeros(csr.object_count + 1, np.uint64)
    np.cumsum(np.bincount(sources, minlength=csr.object_count), out=first[1:])
    roots = np.array([slot for slot, one in enumerate(table.slots) if len(one.rows)], np.uint32)
    spoken = np.isin(table.entry_objects, held) & np.isin(table.entry_slots, roots)
    spoken |= struck
    return Csr(first, targets[order]), table.entry_objects[~spoken], table.entry_slots[~spoken]


def _new_stacks(reach: Reach, new: NewGraph) -> dict[int, list[int]]:
    """The frames of each new thread, innermost first, by the number (in `new`) of the innermost."""
    graph = reach.graph
    if graph.runtime == "v8":
        return {}
    found = {}
    for row in new.root_rows.tolist():
        if reach.root_kinds[row] == RootKind.THREAD:
            frames = frames_below(graph, int(reach.root_targets[row]))
            found[int(new.local[frames[0]])] = frames
    return found


def _executors(reach: Reach, new: NewGraph, stacks: Mapping[int, list[int]]) -> list[tuple[int, int]]:
    """(live new executor, innermost frame of one of its workers), numbers of the new graph."""
    graph, found = reach.graph, []
    for innermost, frames in stacks.items():
        for frame in frames:
            if (graph.name_of(frame) or "").rpartition(".")[2] != _WORKER:
                continue
            weak = _target(graph, frame, Kind.LOCAL, _EXECUTOR)
            executor = None if weak is None else _target(graph, weak, Kind.WEAK, "")
            if executor is not None and new.local[executor] != NO:
                found.append((int(new.local[executor]), innermost))
            break
    return found


def _arguments(reach: Reach, new: NewGraph, stacks: Mapping[int, list[int]]) -> list[tuple[int, int]]:
    """(innermost frame, arguments of its thread's call or the exception it handles): held by C code.

    Which are whose is told by their births: as many in each run as threads were started there.
    """
    graph = reach.graph
    threads: dict[int, list[int]] = {}
    for innermost, frames in stacks.items():
        thread = _target(graph, frames[-1], Kind.LOCAL, "self")
        if thread is not None and reach.is_held[thread]:
            birth = int(reach.survivors.births_of(np.array([thread], np.uint32))[0])
            threads.setdefault(birth, []).append(innermost)
    held: dict[tuple[str, int], list[int]] = {}
    for row in new.root_rows.tolist():
        obj = int(reach.root_targets[row])
        name = graph.type_name(obj)
        is_argument = reach.root_kinds[row] == RootKind.HELD_FROM_C and name in _ARGUMENTS
        if is_argument or reach.root_labels[row] == _HANDLED:
            birth = int(reach.survivors.births_of(np.array([obj], np.uint32))[0])
            held.setdefault((name, birth), []).append(int(new.local[obj]))
    return [
        pair
        for (_, birth), objects in held.items()
        if len(threads.get(birth, ())) == len(objects)
        for pair in zip(threads[birth], objects, strict=True)
    ]


def _weak_tables(reach: Reach, new: NewGraph, table: SlotTable) -> tuple[list[tuple[int, int]], Bools]:
    """((new object, what goes with it), entries that say no more) for tables of weak references."""
    entries = reach.life.entries
    struck = np.isin(table.entry_refs, entries.refs) & (table.entry_refs != NO)
    struck[struck] = new.local[entries.keys[np.searchsorted(entries.refs, table.entry_refs[struck])]] != NO
    keys = entries.keys[np.searchsorted(entries.refs, table.entry_refs[struck])]
    return list(zip(new.local[keys].tolist(), table.entry_objects[struck].tolist(), strict=True)), struck


def _target(graph: HeapGraph, obj: int, kind: Kind, label: str) -> int | None:
    """What the reference of this kind and name leads to; any name for ""."""
    for ref in refs_from(graph, np.array([obj], np.uint32)).tolist():
        if graph.kind(ref) == kind and (not label or graph.label(ref) == label):
            return int(graph.ref_targets[ref])
    return None
