"""Waits on drawn heaps: how far a chain is followed, and whom a timer may cancel."""

from __future__ import annotations

import pytest

from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.graph.refs import frames_below
from leakscan.analysis.results.waits import Waiter
from leakscan.analysis.stuck.actors import Actor
from leakscan.analysis.stuck.chains import suspended_in
from leakscan.analysis.stuck.fields import Fields
from leakscan.analysis.stuck.fixpoint import World
from leakscan.analysis.stuck.wakers import cancelled_by_timers


@pytest.mark.parametrize("depth", [3, 900])
def test_a_chain_of_coroutines_is_followed_to_its_end(depth: int):
    links = "\n".join(f"c{at} -[await cr_await]-> c{at + 1}; c{at}: coroutine" for at in range(depth))
    graph = heap(f"{links}\nc{depth}: coroutine; c{depth} -[await cr_await]-> f; f: _asyncio.Future")
    assert len(suspended_in(graph, Fields(graph), graph["c0"])) == depth + 1


def test_coroutines_that_await_each_other_are_followed_once():
    graph = heap("a -[await cr_await]-> b -[await cr_await]-> a; a: coroutine; b: coroutine")
    assert graph.spell(suspended_in(graph, Fields(graph), graph["a"])) == ["a", "b"]


@pytest.mark.parametrize("depth", [3, 12_000])
def test_a_stack_is_followed_to_the_frame_that_a_thread_began_with(depth: int):
    frames = "\n".join(f"f{at} -[frame f_back]-> f{at + 1}; f{at}: <frame>" for at in range(depth))
    graph = heap(f"{frames}\nf{depth}: <frame> name=Thread._bootstrap")
    assert graph.name_of(frames_below(graph, graph["f0"])[-1]) == "Thread._bootstrap"


def test_frames_that_call_each_other_in_a_damaged_heap_are_followed_once():
    graph = heap("a -[frame f_back]-> b -[frame f_back]-> a; a: <frame>; b: <frame>")
    assert graph.spell(frames_below(graph, graph["a"])) == ["a", "b"]


@pytest.mark.parametrize(("between", "may_cancel"), [(5, True), (6, False)])
def test_a_timer_may_cancel_a_task_that_its_callback_leads_to_in_a_few_steps(between: int, may_cancel: bool):
    steps = "\n".join(f"o{at} -[.x]-> o{at + 1}; o{at}: app.Step" for at in range(between - 1))
    graph = heap(f"""
    root -> h -[._callback]-> o0; h: asyncio.events.TimerHandle
    {steps}
    o{between - 1}: app.Step; o{between - 1} -[.task]-> t; t: _asyncio.Task
    """)
    assert (cancelled_by_timers(graph, Fields(graph), {graph["t"]}) == {graph["t"]}) is may_cancel


def nested_gathers(depth: int) -> bool:
    """Whether a task wakes that awaits gathers within gathers, around a future that nobody can do."""
    gathers = "\n".join(
        f"g{at} -[._children]-> l{at} -[0]-> g{at + 1}; l{at}: list; g{at}: asyncio.tasks._GatheringFuture"
        f"; g{at + 1} -[._callbacks]-> b{at} -[0]-> d{at}; b{at}: list; d{at}: function"
        for at in range(depth)
    )
    graph = heap(
        f"root -> other; t: _asyncio.Task; t -[._fut_waiter]-> g0\n{gathers}\ng{depth}: _asyncio.Future"
    )
    run = Analysed(graph)
    nobody = run.life.weak.copy()
    actor = Actor(Waiter.TASK, graph["t"], graph["g0"], graph["t"])
    seen = run.is_new.copy()
    world = World(graph, run.life, Fields(graph), {actor.obj: actor}, {actor.obj: ()}, nobody, seen)
    world.settle()
    return not world.blocked


@pytest.mark.parametrize(("depth", "wakes"), [(3, False), (45, False), (60, True)])
def test_of_gathers_within_gathers_beyond_fifty_nobody_is_called_stuck(depth: int, wakes: bool):
    assert nested_gathers(depth) is wakes
