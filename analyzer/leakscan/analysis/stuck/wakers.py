"""What can wake: where reachability starts, which references do not count, and timers that cancel.

Reachable is taken widely, so that doubt speaks for the one who waits: weak and borrowed references count, and
objects of compiled extensions act by themselves, because an outside library may call them at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import Liveness
from leakscan.analysis.graph.refs import frames_below
from leakscan.analysis.results.waits import Waiter
from leakscan.analysis.stuck.actors import Actor
from leakscan.analysis.stuck.fields import Bools, Fields
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind, ObjectFlag, TypeFlag

_FUTURES = ("Future", "_GatheringFuture")
_CANCELLERS = ("CancelScope", "Timeout", "TimerContext", "TimeoutHandle", "TaskGroup", "TaskState")
_COLLECTIONS = frozenset({"dict", "list", "set", "frozenset", "collections.deque", "collections.OrderedDict"})
_NOT_CROSSED = frozenset(
    {"module", "type", "code", "_contextvars.Context", "coroutine", "generator", "async_generator", "frame"}
)
_DEEPEST = 5


def starts(graph: HeapGraph, life: Liveness, fields: Fields, blocked: Iterable[Actor]) -> U32:
    """Objects that act or are reached without anyone who is blocked."""
    stands = np.zeros(graph.object_count, np.bool_)
    stands[life.anchors] = True
    for actor in blocked:
        if actor.root >= 0:
            # Frames of threads have no count, which reads as immortal.
            stands[frames_below(graph, actor.start)] = False
    # An outside library calls into its own objects whenever it likes (libuv into uvloop's transports).
    stands |= life.is_live & _is_foreign(graph)[graph.type_ids]
    # Garbage with a finalizer still acts once, when it is collected.
    acts = (graph.flags & np.uint8(ObjectFlag.FINALIZER)) != 0
    acts &= ~np.isin(graph.type_ids, fields.type_rows(*_FUTURES))
    stands |= acts & ~life.is_live
    return np.flatnonzero(stands).astype(np.uint32)


def _is_foreign(graph: HeapGraph) -> Bools:
    """Types compiled into extensions that do not come with Python."""
    foreign = [
        "." in name and name.partition(".")[0].strip("<") not in sys.stdlib_module_names
        for name in graph.type_names
    ]
    compiled = (graph.types.flags & np.uint8(TypeFlag.HEAP | TypeFlag.SYNTHETIC)) == 0
    return np.asarray(np.array(foreign, np.bool_) & compiled)


def not_counted(graph: HeapGraph, fields: Fields, actors: Iterable[Actor]) -> Bools:
    """References over which nobody comes to what an actor waits for.

    The interpreter's lists of threads and trio's lists of tasks know everybody and wake nobody.
    """
    skip = np.zeros(graph.reference_count, np.bool_)
    threads = {actor.obj for actor in actors if actor.waiter is Waiter.THREAD}
    for thread in threads:
        for ref in graph.references(thread):
            if graph.kind(ref) in (Kind.ATTRIBUTE, Kind.SLOT) and graph.label(ref) in _PRIVATE:
                skip[ref] = True
            elif graph.kind(ref) == Kind.DICT:
                for entry in graph.references(int(graph.ref_targets[ref])):
                    skip[entry] |= graph.kind(entry) == Kind.KEY_STR and graph.label(entry) in _PRIVATE
    if threads:
        active = _variables_of(graph, fields, "threading", ("_active", "_limbo"))
        for referrers in fields.referrers(threads).values():
            for source, ref in referrers:
                is_list = source in active or graph.kind(ref) == Kind.WEAK
                if is_list or _is_bootstrap(graph, fields, source):
                    skip[ref] = True
    _skip_lists_of_trio(graph, fields, skip)
    # 3.14: who awaits a future, for `asyncio.pstree` to print; it wakes nobody.
    skip |= np.isin(graph.ref_labels, sorted(fields.rows("_asyncio_awaited_by"))) & _is_field(graph)
    _skip_states_of_anyio(graph, fields, skip)
    return skip


def _is_field(graph: HeapGraph) -> Bools:
    kinds = graph.ref_kinds & np.uint8(KIND_MASK)
    return np.asarray((kinds == Kind.SLOT) | (kinds == Kind.ATTRIBUTE))


_PRIVATE = frozenset({"_target", "_args", "_kwargs"})


def _variables_of(graph: HeapGraph, fields: Fields, module: str, names: tuple[str, ...]) -> set[int]:
    for root in range(len(graph.roots)):
        if graph.root_label(root) == module:
            target = int(graph.roots.targets[root])
            return {value for name in names for value in fields.all(target, name)}
    return set()


def _is_bootstrap(graph: HeapGraph, fields: Fields, obj: int) -> bool:
    """The method that a thread was started with: C holds it as long as the thread runs."""
    if graph.type_name(obj) != "method":
        return False
    function = fields.get(obj, "__func__")
    return function is not None and (graph.name_of(function) or "").endswith("_bootstrap")


def _skip_lists_of_trio(graph: HeapGraph, fields: Fields, skip: Bools) -> None:
    lists = [
        (fields.objects_of("trio._core._run.Runner"), ("tasks",)),
        (fields.objects_of("trio.Nursery"), ("_children",)),
        (fields.objects_of("trio._core._run.CancelStatus"), ("_tasks",)),
    ]
    for owners, names in lists:
        for owner in owners:
            for name in names:
                for tasks in fields.all(owner, name):
                    skip[int(graph.first_ref[tasks]) : int(graph.first_ref[tasks + 1])] = True
    for breakers in _breakers(graph, fields):
        skip[int(graph.first_ref[breakers]) : int(graph.first_ref[breakers + 1])] = True


def _breakers(graph: HeapGraph, fields: Fields) -> set[int]:
    return _variables_of(graph, fields, "trio._core._parking_lot", ("GLOBAL_PARKING_LOT_BREAKER",))


def broken_with(graph: HeapGraph, fields: Fields) -> dict[int, int]:
    """Tasks of trio that own locks -> what is broken, so that it wakes whoever waits, when they end."""
    found = {}
    for breakers in _breakers(graph, fields):
        owner = -1
        for ref in graph.references(breakers):
            if graph.kind(ref) == Kind.KEY:
                owner = int(graph.ref_targets[ref])
            elif owner >= 0:
                found[owner] = int(graph.ref_targets[ref])
    return found


def _skip_states_of_anyio(graph: HeapGraph, fields: Fields, skip: Bools) -> None:
    """anyio knows the scope of every task in one weak dict."""
    states = set(fields.objects_of("anyio._backends._asyncio.TaskState"))
    if states:
        for referrers in fields.referrers(states).values():
            for source, ref in referrers:
                skip[ref] |= graph.type_name(source) == "dict"


def cancelled_by_timers(graph: HeapGraph, fields: Fields, tasks: set[int]) -> set[int]:
    """Tasks that the callback of a pending timer holds, and may cancel: `timeout()`, `wait_for()`, scopes.

    A timer's callback reaches a task through its own variables. Entries of collections count only inside the
    objects that exist to cancel: a heartbeat whose object also keeps all sessions does not cancel them.
    """
    if not tasks:
        return set()
    found = _cancelled_by_deadlines_of_trio(graph, fields)
    loops = set(fields.objects_of("BaseEventLoop")) | set(_loops(graph))
    cancels = frozenset(fields.type_rows(*_CANCELLERS).tolist())
    for handle in fields.objects_of("TimerHandle", "Handle"):
        seen = {handle}
        work = [(handle, 0, False)]
        while work:
            obj, depth, in_canceller = work.pop()
            for ref in graph.references(obj):
                target = int(graph.ref_targets[ref])
                kind = graph.kind(ref)
                if target in tasks:
                    found.add(target)
                if target in seen or target in loops or kind in (Kind.TYPE, Kind.WEAK, Kind.MACHINERY):
                    continue
                name = graph.type_name(target)
                is_entry = name in _COLLECTIONS and kind != Kind.DICT and not in_canceller
                is_known = int(graph.type_ids[target]) in cancels
                if target in tasks or name in _NOT_CROSSED or is_entry or graph.label(ref) == "__globals__":
                    continue
                if is_known or depth < _DEEPEST:
                    seen.add(target)
                    inside = is_known or (in_canceller and (name in _COLLECTIONS or name == "tuple"))
                    work.append((target, 0 if is_known else depth + 1, inside))
    return found


def _loops(graph: HeapGraph) -> list[int]:
    rows = [row for row, name in enumerate(graph.type_names) if name.endswith("Loop")]
    return np.flatnonzero(np.isin(graph.type_ids, rows)).tolist() if rows else []


def _cancelled_by_deadlines_of_trio(graph: HeapGraph, fields: Fields) -> set[int]:
    """Tasks inside a scope with a deadline, and in the scopes below it."""
    found: set[int] = set()
    for deadlines in fields.objects_of("trio._core._run.Deadlines"):
        heap = fields.get(deadlines, "_heap")
        entries = fields.targets(heap) if heap is not None else []
        work = [
            status
            for entry in entries
            for scope in fields.targets(entry)
            for status in fields.all(scope, "_cancel_status")
        ]
        seen = set(work)
        while work:
            status = work.pop()
            for tasks in fields.all(status, "_tasks"):
                found |= set(fields.targets(tasks))
            below = [
                child for children in fields.all(status, "_children") for child in fields.targets(children)
            ]
            work += [child for child in below if child not in seen]
            seen |= set(below)
    return found


def reached(graph: HeapGraph, life: Liveness, roots: U32, skip: Bools, barriers: Bools) -> Bools:
    """What those who are not blocked come to."""
    return kernels.reachable(life.csr, roots=roots, skip=skip, barriers=barriers)
