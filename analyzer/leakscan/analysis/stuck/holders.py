"""Who holds a task itself, among those who still run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leakscan.analysis.results.waits import HeldBy
from leakscan.analysis.stuck.fields import Fields
from leakscan.analysis.stuck.fixpoint import World
from leakscan.analysis.stuck.together import callbacks_of
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind

_COLLECTIONS = ("dict", "list", "set", "frozenset", "deque", "OrderedDict", "tuple", "defaultdict")
_MACHINERY = (
    "FutureIter",
    "builtin_function_or_method",
    "method",
    "method-wrapper",
    "TaskStepMethWrapper",
    "Handle",
    "_GatheringFuture",
    "Context",
    "CancelStatus",
    "Runner",
)
_AWAITED_BY = "_asyncio_awaited_by"
"""3.14: a future knows who awaits it, to be printed."""
_OF_SCOPES = ("CancelStatus", "Nursery", "NurseryManager", "Deadlines", "tuple", "list")
"""What trio itself knows a scope by; its deadlines are tuples in a list."""
_NO_HOLD = (Kind.AWAIT, Kind.WEAK, Kind.STACK)
_CANCELLERS = ("TaskGroup", "CancelScope", "TaskState")


@dataclass(frozen=True, slots=True)
class Held:
    """By whom, where, and whether that collection only keeps it alive: a done-callback takes it out again."""

    by: HeldBy
    where: str = ""
    only_kept_alive: bool = False


def look_up_collections(world: World, referrers: Mapping[int, Sequence[tuple[int, int]]]) -> None:
    """Finds at once who holds the collections that these tasks lie in, which `held` asks of each."""
    sources = {source for found in referrers.values() for source, _ in found}
    world.fields.look_up_referrers({source for source in sources if _is_collection(world, source)})


def _is_collection(world: World, obj: int) -> bool:
    name = world.graph.type_name(obj)
    return name.rpartition(".")[2] in _COLLECTIONS and world.fields.owner_of_dict(obj) is None


def held(world: World, task: int, referrers: list[tuple[int, int]]) -> Held:
    """The strongest holder of the task: a name, then a collection, then a local of a running function."""
    graph, fields = world.graph, world.fields
    kept_in = {
        owner for callback in callbacks_of(graph, fields, task) for owner in fields.all(callback, "__self__")
    }
    best, local = Held(HeldBy.NOBODY), Held(HeldBy.NOBODY)
    for source, ref in sorted(referrers, key=lambda pair: pair[1]):
        kind, name = graph.kind(ref), graph.type_name(source)
        acts = world.acts(source) and not is_idle_group(world, source)
        if graph.label(ref) == _AWAITED_BY or source in fields.cells_of_callbacks:
            continue
        if not acts or kind in _NO_HOLD or name.endswith(_MACHINERY):
            continue
        is_collection = _is_collection(world, source)
        if kind == Kind.LOCAL:
            # The loop variable that the task was made in says nothing when a collection holds it too.
            local = Held(HeldBy.NAME, _where(graph, fields, source, ref))
        elif not is_collection:
            if name == "trio.Nursery":
                continue  # its parent: known by those below it
            return Held(HeldBy.NAME, _where(graph, fields, source, ref))
        else:
            owner, where = _owner(graph, fields, source)
            if owner is not None and is_idle_group(world, owner):
                continue
            if owner == -1 or (owner is not None and graph.type_name(owner).endswith(_MACHINERY)):
                continue
            if owner is not None and graph.type_name(owner).rpartition(".")[2] in _CANCELLERS:
                return Held(HeldBy.NAME, where)
            if best.by is HeldBy.NOBODY:
                best = Held(HeldBy.COLLECTION, where or name, only_kept_alive=source in kept_in)
    return local if best.by is HeldBy.NOBODY else best


def is_idle_group(world: World, group: int) -> bool:
    """Whether it is an `asyncio.TaskGroup` that cancels nobody: no task can fail, and only they have it."""
    fields = world.fields
    if group not in fields.groups:
        return False
    tasks = fields.get(group, "_tasks")
    if any(world.can_fail(task) for task in (fields.targets(tasks) if tasks is not None else [])):
        return False
    return not any(
        world.acts(source)
        and world.graph.kind(ref) not in _NO_HOLD
        and not world.graph.type_name(source).endswith("method")
        for source, ref in fields.referrers_of(group)
    )


def tasks_of_held_scopes(world: World) -> set[int]:
    """Tasks of trio in a cancel scope that running code knows, as by `with CancelScope() as self.scope`."""
    fields, found = world.fields, set()
    held_scopes = [scope for scope in fields.objects_of("trio.CancelScope") if _is_held_scope(world, scope)]
    work = [status for scope in held_scopes for status in fields.all(scope, "_cancel_status")]
    seen = set(work)
    while work:
        status = work.pop()
        found |= {task for tasks in fields.all(status, "_tasks") for task in fields.targets(tasks)}
        below = [child for children in fields.all(status, "_children") for child in fields.targets(children)]
        work += [child for child in below if child not in seen]
        seen |= set(below)
    return found


def _is_held_scope(world: World, scope: int) -> bool:
    graph, work, seen = world.graph, [scope], {scope}
    while work:
        for source, ref in world.fields.referrers_of(work.pop()):
            name = graph.type_name(source)
            if name.endswith("CancelScope"):  # anyio's, around trio's
                work += [source] if source not in seen else []
                seen.add(source)
            elif world.acts(source) and graph.kind(ref) not in _NO_HOLD and not name.endswith(_OF_SCOPES):
                return True
    return False


def is_held_gather(world: World, future: int) -> bool:
    """Whether running code knows the future of a `gather()`, so that it may cancel all of it."""
    together = world.together(future)
    if together is None or not together.is_gather or not world.seen[future]:
        return False
    return held(world, future, world.fields.referrers_of(future)).by is HeldBy.NAME


def _where(graph: HeapGraph, fields: Fields, source: int, ref: int) -> str:
    """`Service._task`, `app.task`, a local of a function."""
    owner = fields.owner_of_dict(source)
    if owner is None:
        owner = source
    label = graph.label(ref)
    if graph.kind(ref) == Kind.LOCAL or graph.kind(ref) == Kind.UNNAMED:
        return f"{label} of {graph.name_of(owner) or graph.type_name(owner)}".removeprefix(" of ")
    name = graph.name_of(owner) if graph.type_name(owner) == "module" else None
    return f"{name or graph.type_name(owner)}.{label}" if label else graph.type_name(owner)


def _owner(graph: HeapGraph, fields: Fields, collection: int) -> tuple[int | None, str]:
    """What a collection belongs to, and how that reads; (-1, "") for a list that is only the runtime's."""
    best: tuple[int | None, str] = (None, "")
    owned_by_machinery = False
    for source, ref in fields.referrers_of(collection):
        kind, name = graph.kind(ref), graph.type_name(source)
        if kind in (Kind.WEAK, Kind.STACK) or name.endswith(("method", "builtin_function_or_method")):
            continue
        if name.endswith(_MACHINERY):
            owned_by_machinery = True
            continue
        owner = fields.owner_of_dict(source)
        if kind in (Kind.ATTRIBUTE, Kind.SLOT, Kind.LOCAL) or owner is not None:
            return (source if owner is None else owner), _where(graph, fields, source, ref)
        best = (source, name)
    return (-1, "") if owned_by_machinery and best[0] is None else best
