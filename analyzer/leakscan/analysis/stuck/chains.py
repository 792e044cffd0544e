"""How a wait reads: the suspended functions from the outermost inwards, and the primitive at the end."""

from __future__ import annotations

from dataclasses import dataclass

from leakscan.analysis.graph.refs import frames_below
from leakscan.analysis.results.waits import Suspended, Waiter
from leakscan.analysis.stuck.actors import Actor
from leakscan.analysis.stuck.fields import Fields
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind

_LIBRARIES = ("asyncio", "anyio", "trio", "threading", "queue", "outcome", "concurrent")
_SUSPENDED = frozenset({"coroutine", "generator", "async_generator"})
_BARE = ("Event", "EventAdapter", "Future")
_WRAPPERS = ("ag_gen", "cw_coroutine", "future")


@dataclass(frozen=True, slots=True)
class Chain:
    """The suspended objects or frames of a wait, the outermost first, and the object it ends at."""

    links: tuple[int, ...]
    primitive: int


def chain_of(graph: HeapGraph, fields: Fields, actor: Actor) -> Chain:
    """The chain of one actor."""
    if actor.waiter is Waiter.THREAD:
        links = frames_below(graph, actor.start)[::-1]
        links = [link for link in links if not _is_start_of_thread(graph, link)] or links
    else:
        links = suspended_in(graph, fields, actor.start)
    library = []
    for link in reversed(links):
        if not _is_library(graph, link):
            break
        library.append(link)
    primitive = actor.waits_for if actor.waits_for != actor.obj else -1
    # The outermost of the library's own objects is what the program wrote.
    for link in library:
        owner = fields.variable(link, "self")
        if owner is not None and _is_library_name(graph.type_name(owner)):
            primitive = owner
    return Chain(tuple(links), primitive)


def steps_of(graph: HeapGraph, chain: Chain) -> tuple[Suspended, ...]:
    """The chain as functions and lines."""
    steps = []
    for link in chain.links:
        place = graph.location_of(link)
        steps.append(
            Suspended(graph.name_of(link) or "", place.file if place else "", place.line if place else 0)
        )
    return tuple(steps)


def suspended_in(graph: HeapGraph, fields: Fields, start: int) -> list[int]:
    """The coroutines and generators below a coroutine that await one another, the outermost first."""
    links: dict[int, None] = {}
    passed, at = {start}, start
    while True:
        if graph.type_name(at) in _SUSPENDED:
            links[at] = None
            awaited = [int(graph.ref_targets[r]) for r in graph.references(at) if graph.kind(r) == Kind.AWAIT]
        else:
            awaited = [value for name in _WRAPPERS for value in fields.all(at, name)]
        if not awaited or awaited[0] in passed:
            return list(links)
        at = awaited[0]
        passed.add(at)


def _with_frame(fields: Fields, link: int) -> tuple[int, ...]:
    """A coroutine, and its frame object, which has the locals as soon as someone asked for it."""
    return (link, *fields.all(link, "frame object"))


def _is_start_of_thread(graph: HeapGraph, frame: int) -> bool:
    return (graph.name_of(frame) or "") in ("Thread.run", "Thread._bootstrap_inner", "Thread._bootstrap")


def _is_library(graph: HeapGraph, link: int) -> bool:
    place = graph.location_of(link)
    if place is None:
        return False
    parts = place.file.replace("\\", "/").split("/")
    return any(part in _LIBRARIES for part in parts[:-1]) or parts[-1] in ("threading.py", "queue.py")


def _is_library_name(type_name: str) -> bool:
    return type_name.partition(".")[0].strip("_") in _LIBRARIES


def is_anonymous(
    graph: HeapGraph, fields: Fields, chain: Chain, actor: Actor, referrers: list[tuple[int, int]]
) -> bool:
    """Whether it waits for an event or future that only the wait itself ever had a name for.

    A task of trio that waits for no object at all sleeps until it is cancelled.
    """
    if chain.primitive < 0:
        return True
    if not graph.type_name(chain.primitive).endswith(_BARE):
        return False
    library = {at for link in chain.links if _is_library(graph, link) for at in _with_frame(fields, link)}
    for source, ref in referrers:
        by_wait = source in library or source == actor.obj or graph.kind(ref) == Kind.STACK
        by_wait |= graph.type_name(source).endswith(("FutureIter", "method", "builtin_function_or_method"))
        by_wait |= graph.type_name(source) == "cell" and graph.name_of(source) == "self"
        if not by_wait:
            return False
    return True
