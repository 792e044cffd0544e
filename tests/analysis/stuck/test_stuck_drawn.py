"""Who can never wake, on drawn heaps: tasks of asyncio and trio, and threads."""

from __future__ import annotations

import pytest

from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.results.waits import (
    Answer,
    HeldBy,
    Reason,
    Stuck,
    StuckSurvivors,
    Waiter,
    WaitGroup,
)
from leakscan.analysis.stuck.find import find_stuck
from leakscan.analysis.stuck.words import never_wake

APP = """
module app -> m; m: module name=app; m -[.TASKS]-> ts; ts: set
module builtins -> b; b: module name=builtins; b -[.True]-> yes; yes: bool
"""
LOCKS = "/usr/lib/python3.11/asyncio/locks.py"


def task(name: str, function: str = "watch") -> str:
    """`async def watch(done): await done.wait()`, with the event `NAME_event`."""
    return f"""
    {name}: _asyncio.Task birth=1; {name} -[._coro]-> {name}_c; {name} -[._fut_waiter]-> {name}_f
    {name}_c: coroutine name={function} at=/srv/app.py:7; {name}_c -[local done]-> {name}_event
    {name}_c -[await cr_await]-> {name}_w; {name}_w: coroutine name=Event.wait at={LOCKS}:212
    {name}_w -[local self]-> {name}_event; {name}_event: asyncio.locks.Event
    {name}_event -[._waiters]-> {name}_q -[0]-> {name}_f; {name}_q: collections.deque
    {name}_f: _asyncio.Future; {name}_f -[._callbacks]-> {name}_l -[0]-> {name}_u -[.task]-> {name}
    {name}_l: list; {name}_u: _asyncio.TaskStepMethWrapper
    """


def waiting_for_task(name: str, other: str) -> str:
    """`async def join(other): await other`."""
    return f"""
    {name}: _asyncio.Task birth=2; {name} -[._coro]-> {name}_c; {name} -[._fut_waiter]-> {other}
    {name}_c: coroutine name=join at=/srv/app.py:20
    """


def gather(*children: str, returns_exceptions: bool = False) -> str:
    """`await gather(*children)`, by the task g."""
    listed = "; ".join(f"kids -[{at}]-> {child}" for at, child in enumerate(children))
    calls = "; ".join(
        f"{child} -[._callbacks]-> {child}_l2 -[0]-> done; {child}_l2: list" for child in children
    )
    value = "yes" if returns_exceptions else "no"
    return f"""
    g: _asyncio.Task birth=2; g -[._coro]-> g_c; g_c: coroutine name=all_of; g -[._fut_waiter]-> gf
    gf: asyncio.tasks._GatheringFuture; gf -[._children]-> kids; kids: list; {listed}; {calls}
    done: function name=gather.<locals>._done_callback; done -[slot __closure__]-> cells; cells: tuple
    cells -[0]-> cell; cell: cell name=return_exceptions; cell -[slot cell_contents]-> {value}; no: bool
    """


def thread(*, variables: str = "", bottom: str = "Thread._bootstrap") -> str:
    """A thread in `condition.wait()`."""
    return f"""
    thread T -> top; top: <frame> name=Condition.wait at=/usr/lib/python3.11/threading.py:320
    top -[local self]-> cond; top -[local waiter]-> lock; cond: threading.Condition; lock: _thread.lock
    cond -[._waiters]-> waiters; waiters: collections.deque; waiters -[0]-> lock
    top -[frame f_back]-> work -[frame f_back]-> run -[frame f_back]-> base
    work: <frame> name=work at=/srv/app.py:30; run: <frame> name=Thread.run; base: <frame> name={bottom}
    base -[local self]-> th; th: threading.Thread; {variables}
    """


def stuck(*drawn: str, runtime: str = "cpython") -> Stuck:
    graph = heap("\n".join((APP, *drawn)), runtime=runtime)
    return find_stuck(graph, Analysed(graph).life)


def group(*drawn: str) -> WaitGroup:
    (found,) = stuck(*drawn).groups
    return found


def answers(*drawn: str) -> dict[str, Answer]:
    return {each.name: each.answer for each in stuck(*drawn).groups}


KEPT = "ts -[{}]-> t"


def test_a_task_waits_for_ever_for_an_event_that_only_it_knows():
    found = group(task("t"), KEPT)
    assert (found.answer, found.reason, found.name, found.waits_for) == (
        Answer.NEVER,
        Reason.UNREACHABLE,
        "watch",
        "asyncio.locks.Event",
    )
    assert (found.held_by, found.holder, found.births) == (HeldBy.COLLECTION, "app.TASKS", ((1, 1),))
    assert [(step.function, step.line) for step in found.chain] == [("watch", 7), ("Event.wait", 212)]


def test_what_only_they_hold_is_counted():
    alone = stuck(task("t"), KEPT, "t_c -[local body]-> x; x: app.Body size=5000", "m -[.t]-> other")
    assert alone.only_they_hold_bytes >= 5000


@pytest.mark.parametrize(
    "way",
    [
        "m -[.EVENT]-> t_event",
        "m -[.D]-> d; d: dict; d -['a']-> t_event",
        "m -[.HUB]-> hub; hub: app.Hub; hub -[.__dict__]-> d; d: dict; d -['event']-> t_event",
        "thread Main -> r; r: <frame> name=main; r -[local event]-> t_event",
        "m -[.x]-> own; own: lib.Loop flags=tracked; type lib.Loop flags=collected; own -[.e]-> t_event",
        "gone: app.Guard flags=tracked,finalizer; gone -[.e]-> t_event; loose -> gone",
    ],
)
def test_whoever_still_runs_and_reaches_the_event_may_set_it(way: str):
    assert group(task("t"), KEPT, way).answer is Answer.CAN_WAKE


@pytest.mark.parametrize(
    ("way", "holder"),
    [
        ("m -[.task]-> t", "app.task"),
        ("m -[.S]-> s; s: app.Service; s -[._task]-> t", "app.Service._task"),
        ("m -[.S]-> s; s: app.Service; s -[.__dict__]-> d; d: dict; d -['_task']-> t", "app.Service._task"),
        ("thread Main -> r; r: <frame> name=main; r -[local task]-> t", "task of main"),
        (
            "m -[.S]-> s; s: asyncio.taskgroups.TaskGroup; s -[._tasks]-> k; k: set; k -[{}]-> t",
            "asyncio.taskgroups.TaskGroup._tasks",
        ),
    ],
)
def test_code_that_knows_a_task_by_name_may_cancel_it(way: str, holder: str):
    found = group(task("t"), way)
    assert (found.answer, found.held_by, found.holder) == (Answer.UNLESS_CANCELLED, HeldBy.NAME, holder)


def test_an_event_without_a_name_is_waited_for_until_the_task_is_cancelled():
    nameless = task("t").replace("t_c -[local done]-> t_event", "")
    discard = "t -[._callbacks]-> cb; cb: method; cb -[slot __self__]-> ts"
    assert group(nameless, KEPT).answer is Answer.UNLESS_CANCELLED
    assert group(nameless, KEPT, discard).answer is Answer.NEVER


def test_a_list_of_the_runtime_holds_no_task():
    found = group(task("t"), "root -> h; h: asyncio.events.Handle; h -[._args]-> a; a: tuple; a -[0]-> t")
    assert (found.held_by, found.holder) == (HeldBy.NOBODY, "")


def test_who_waits_for_a_task_that_never_wakes_does_not_wake():
    found = stuck(task("t"), waiting_for_task("j", "t"), "ts -[{}]-> t, j")
    (joins,) = (each for each in found.groups if each.name == "join")
    assert (joins.answer, joins.reason) == (Answer.NEVER, Reason.WAITS_FOR_STUCK)
    assert [found.groups[at].name for at in joins.waits_for_groups] == ["watch"]


def test_who_waits_for_a_task_that_wakes_does_wake():
    drawn = (task("t"), waiting_for_task("j", "t"), "ts -[{}]-> t, j", "m -[.EVENT]-> t_event")
    assert answers(*drawn) == {"watch": Answer.CAN_WAKE, "join": Answer.CAN_WAKE}


def test_who_is_awaited_by_a_cancelled_task_is_cancelled_with_it():
    assert answers(task("t"), waiting_for_task("j", "t"), "m -[.job]-> j; ts -[{}]-> t") == {
        "watch": Answer.UNLESS_CANCELLED,
        "join": Answer.UNLESS_CANCELLED,
    }


TWO = (task("t"), task("s", "serve"), "ts -[{}]-> t, s, g")


def test_a_gather_ends_when_all_of_its_children_can():
    ends = (*TWO, gather("t", "s"), "m -[.E1]-> t_event; m -[.E2]-> s_event")
    assert answers(*ends)["all_of"] is Answer.CAN_WAKE


def test_a_gather_with_one_child_that_never_ends_waits_for_the_failure_of_another():
    one = (*TWO, "m -[.E2]-> s_event")
    assert answers(*one, gather("t", "s"))["all_of"] is Answer.UNLESS_FAILURE
    assert answers(*one, gather("t", "s", returns_exceptions=True))["all_of"] is Answer.NEVER


def test_a_sleep_does_not_fail():
    sleeps = task("s", "sleep").replace("/srv/app.py:7", "/usr/lib/python3.11/asyncio/tasks.py:640")
    drawn = (task("t"), sleeps, "ts -[{}]-> t, s, g", "m -[.E2]-> s_event", gather("t", "s"))
    assert answers(*drawn)["all_of"] is Answer.NEVER


def test_a_gather_of_which_nothing_ends_never_does():
    assert answers(*TWO, gather("t", "s"))["all_of"] is Answer.NEVER


def test_a_task_group_waits_for_the_tasks_in_it():
    of_group = """
    g: _asyncio.Task; g -[._coro]-> gc; gc: coroutine name=serve; g -[._fut_waiter]-> gf; gf: _asyncio.Future
    gc -[local group]-> grp; grp: asyncio.taskgroups.TaskGroup; grp -[._on_completed_fut]-> gf
    grp -[._tasks]-> members; members: set; members -[{}]-> t
    """
    found = stuck(task("t"), of_group, "ts -[{}]-> g")
    (serve,) = (each for each in found.groups if each.name == "serve")
    assert (serve.answer, serve.reason) == (Answer.NEVER, Reason.WAITS_FOR_STUCK)


def test_nobody_wakes_on_a_closed_loop():
    loop = "t -[._loop]-> loop; loop: asyncio.events.Loop; loop -[._closed]-> yes; m -[.EVENT]-> t_event"
    assert (group(task("t"), KEPT, loop).answer, group(task("t"), KEPT, loop).reason) == (
        Answer.NEVER,
        Reason.CLOSED_LOOP,
    )


@pytest.mark.parametrize("callback", ["name=_run_until_complete_cb", "name=Runner.done_cb"])
def test_the_main_task_is_not_asked_about(callback: str):
    assert stuck(task("t"), KEPT, f"t -[._callbacks]-> cb; cb: function {callback}").waiting == 0


def test_a_timer_may_cancel_what_its_callback_holds():
    timer = "root -> h; h: asyncio.events.TimerHandle; h -[._callback]-> on; on: app.On; on -[.task]-> t"
    assert group(task("t"), KEPT, timer).answer is Answer.CAN_WAKE


@pytest.mark.parametrize(
    ("owner", "expected"), [("asyncio.timeouts.Timeout", Answer.CAN_WAKE), ("app.Hub", Answer.NEVER)]
)
def test_a_timer_cancels_what_lies_in_collections_of_those_who_exist_to_cancel(owner: str, expected: Answer):
    timer = f"root -> h; h: asyncio.events.TimerHandle; h -[._callback]-> on; on: {owner}; on -[.all]-> k"
    assert group(task("t"), KEPT, timer, "k: set; k -[{}]-> t").answer is expected


def test_a_thread_waits_for_ever_on_a_condition_that_nobody_else_knows():
    found = group(thread())
    assert (found.waiter, found.answer, found.name) == (Waiter.THREAD, Answer.NEVER, "work")
    assert [step.function for step in found.chain] == ["work", "Condition.wait"]


def test_a_thread_is_not_reached_through_the_lists_of_threading_nor_its_own_arguments():
    lists = "module threading -> tm; tm: module name=threading; tm -[._active]-> act; act: dict"
    started = "root -> boot; boot: method; boot -[slot __self__]-> th; boot -[slot __func__]-> bf"
    named = "bf: function name=Thread._bootstrap; th -[._args]-> args; args: tuple; args -[0]-> cond"
    assert group(thread(), lists, "act -[int 1]-> th", started, named).answer is Answer.NEVER
    in_dict = "th -[.__dict__]-> td; td: dict; td -['_args']-> a2; a2: tuple; a2 -[0]-> cond"
    assert group(thread(), lists, "act -[int 1]-> th", in_dict).answer is Answer.NEVER


@pytest.mark.parametrize("way", ["m -[.COND]-> cond", "m -[.thread]-> th; th -[.cond]-> cond"])
def test_whoever_reaches_the_condition_may_notify_it(way: str):
    assert group(thread(), way).answer is Answer.CAN_WAKE


@pytest.mark.parametrize(
    "drawn",
    [
        thread(bottom="<module>"),
        thread(variables="top -[local timeout]-> limit; limit: float"),
        thread().replace("waiters -[0]-> lock", ""),
        thread().replace("name=Condition.wait", "name=acquire"),
    ],
)
def test_main_threads_and_those_with_a_limit_or_on_their_way_are_not_asked_about(drawn: str):
    assert stuck(drawn).waiting == 0


def inside(call: str, of: str, *more: str, python: str = "3.14.2") -> Stuck:
    """A thread in a method of C, with its arguments on the value stack above the method and its object."""
    drawn = f"""
    thread T -> top; top: <frame> name=work at=/srv/app.py:30; top -[frame f_back]-> run
    run -[frame f_back]-> base; top -[local lock]-> x; top -[stack 0]-> call; top -[stack 1]-> x
    call: method_descriptor name={call}; run: <frame> name=Thread.run
    base: <frame> name=Thread._bootstrap; base -[local self]-> th; x: {of}
    th: threading.Thread
    """
    graph = heap("\n".join((APP, drawn, *more)), meta={"python": python})
    return find_stuck(graph, Analysed(graph).life)


WAITED = "_thread.lock flags=waited_for"


@pytest.mark.parametrize(
    ("call", "of"),
    [
        ("lock.acquire", WAITED),
        ("lock.__enter__", WAITED),
        ("RLock.acquire", "_thread.RLock flags=waited_for"),
        ("SimpleQueue.get", "_queue.SimpleQueue flags=waited_for"),
    ],
)
def test_a_thread_waits_for_ever_in_a_lock_or_queue_of_c_that_nobody_else_knows(call: str, of: str):
    assert inside(call, of).never == 1
    assert inside(call, of, "top -[stack 2]-> yes").never == 1
    assert inside(call, of, "m -[.KEPT]-> x").never == 0


@pytest.mark.parametrize(
    "found",
    [
        inside("lock.acquire", "_thread.lock"),
        inside("lock.release", WAITED),
        inside("lock.acquire", WAITED, "top -[stack 2]-> limit; limit: int"),
        inside(
            "SimpleQueue.get", "_queue.SimpleQueue flags=waited_for", "top -[stack 2]-> keys; keys: tuple"
        ),
        inside("lock.acquire", WAITED, python="3.13.9"),
        inside("lock.acquire", WAITED, python="unknown"),
    ],
    ids=["not waited for", "another call", "a limit", "names of arguments", "3.13", "no version"],
)
def test_who_may_be_on_its_way_out_of_a_lock_is_not_asked_about(found: Stuck):
    assert found.waiting == 0


def test_two_threads_in_one_lock_are_not_asked_about_since_one_may_have_it():
    second = """
    thread U -> t2; t2: <frame> name=work; t2 -[frame f_back]-> b2; t2 -[stack 0]-> call; t2 -[stack 1]-> x
    b2: <frame> name=Thread._bootstrap; b2 -[local self]-> th2; th2: threading.Thread
    """
    assert inside("lock.acquire", WAITED, second).waiting == 0


JOIN = "join: <frame> name=Thread.join at=/usr/lib/python3.13/threading.py:1092"


def joining(*more: str, frames: str = JOIN, of: str = "th") -> Stuck:
    """A thread that joins `th`, the one in `condition.wait()`, or another one."""
    start = "deeper" if "deeper" in frames else "join"
    return stuck(
        thread(),
        f"thread J -> {start}; {frames}; join -[frame f_back]-> jw -[frame f_back]-> jb",
        f"join -[local self]-> {of}",
        "jw: <frame> name=last at=/srv/app.py:40; jb: <frame> name=Thread._bootstrap",
        "jb -[local self]-> jt; jt: threading.Thread",
        *more,
    )


def test_who_joins_a_thread_that_never_ends_never_wakes_either():
    deeper = "join: <frame> name=Thread.join at=/lib/threading.py:1119; deeper -[frame f_back]-> join"
    deeper += "; deeper: <frame> name=Thread._wait_for_tstate_lock"
    for found in (joining(), joining(frames=deeper)):
        last = next(group for group in found.groups if group.name == "last")
        assert (found.never, last.reason) == (2, Reason.WAITS_FOR_STUCK)
        assert [found.groups[at].name for at in last.waits_for_groups] == ["work"]


def test_who_joins_a_thread_that_can_end_or_has_a_limit_is_not_accused():
    assert joining("m -[.COND]-> cond").never == 0
    assert joining("join -[local timeout]-> limit; limit: float").never == 1
    own = "join: <frame> name=Thread.join at=/srv/app.py:3"
    assert joining(frames=own).never == 1


def test_who_joins_a_thread_that_has_ended_is_on_its_way():
    found = joining("gone: threading.Thread", of="gone")
    assert {group.name: group.answer for group in found.groups}["last"] is Answer.CAN_WAKE


TRIO = """
root -> rn; rn: trio._core._run.Runner; rn -[.tasks]-> all; all: set; all -[{}]-> t; all -[{}]-> main
rn -[.main_task]-> main; main: trio.lowlevel.Task; main -[.coro]-> mc; mc: coroutine name=main
main -[._abort_func]-> abort; abort: function name=abort
t: trio.lowlevel.Task; t -[.coro]-> tc; tc: coroutine name=watch; t -[._abort_func]-> abort
tc -[local event]-> e; e: trio.Event; e -[._tasks]-> et; et: set; et -[{}]-> t
"""


def test_a_task_of_trio_is_not_woken_by_the_lists_of_its_runner():
    found = group(TRIO)
    assert (found.waiter, found.answer, found.name) == (Waiter.TRIO_TASK, Answer.NEVER, "watch")


def test_a_task_of_trio_is_woken_by_who_knows_its_event():
    assert group(TRIO, "m -[.EVENT]-> e").answer is Answer.CAN_WAKE


@pytest.mark.parametrize("below", ["st", "st -[._children]-> kids -[{}]-> in; kids: set; in"])
def test_a_deadline_of_trio_may_cancel_the_tasks_in_its_scope_and_below_it(below: str):
    deadline = f"""
    rn -[.deadlines]-> dl; dl: trio._core._run.Deadlines; dl -[._heap]-> dh; dh: list; dh -[0]-> entry
    entry: tuple; entry -[0]-> scope; scope: trio.CancelScope; scope -[._cancel_status]-> st
    st: trio._core._run.CancelStatus; {below} -[._tasks]-> tt; in: trio._core._run.CancelStatus
    tt: set; tt -[{{}}]-> t
    """
    assert group(TRIO, deadline).answer is Answer.CAN_WAKE


def test_nobody_waits_in_other_snapshots():
    assert stuck(task("t"), KEPT, runtime="v8").waiting == stuck("m -[.a]-> x").waiting == 0


def worst_leak(*drawn: str, old: str = "") -> tuple[StuckSurvivors | None, str]:
    """What is stuck in the leak of 20 runs, and how that reads. `old` was there before."""
    old = f"{APP}\n{old}".replace("birth=1", "birth=0")
    findings = diff(heap(old, meta={"births": True}), heap("\n".join((old, *drawn))), runs=20)
    return findings.leaks[0].stuck, never_wake(findings, findings.leaks[0])


def in_each_run(text: str, runs: int = 20) -> str:
    return "\n".join(text.replace("birth=1", "birth=#").replace("#", str(run)) for run in range(1, runs + 1))


OLD = task("t", "last") + "ts -[{}]-> t; t_c -[local bag]-> bag; bag: list birth=0"
SESSIONS = in_each_run("bag -[#]-> x#; x#: app.Session size=5000 birth=#")
"""Twenty sessions in a list that only an old task knows."""


def test_survivors_that_are_tasks_are_said_never_to_wake():
    stuck, text = worst_leak(in_each_run(task("t#") + "ts -[{}]-> t#"))
    assert stuck == StuckSurvivors(20, (0,), are_survivors=True, alone_hold=False)
    assert text == "they can never wake: nobody else reaches the Event that they wait for"


def test_survivors_that_only_a_stuck_task_reaches_are_told_with_it():
    stuck, text = worst_leak(SESSIONS, old=OLD)
    assert stuck == StuckSurvivors(1, (0,), are_survivors=False, alone_hold=True)
    assert text == (
        "only 1 task last holds them and can never wake: nobody else reaches the Event that it waits for"
    )


def test_survivors_that_others_reach_as_well_are_told_without_it():
    assert worst_leak(SESSIONS, old=f"{OLD}; m -[.BAG]-> bag") == (None, "")


def test_tasks_beside_the_survivors_that_a_leak_is_named_after_are_told():
    kept = "x#: app.Session birth=#; x# -[.tasks]-> k#; k#: set birth=#; k# -[{}]-> t#"
    stuck, text = worst_leak(in_each_run(task("t#") + f"ts -[{{}}]-> x#; {kept}"))
    assert stuck == StuckSurvivors(20, (0,), are_survivors=False, alone_hold=False)
    assert text.startswith("with them, 20 tasks watch can never wake")


def test_why_they_never_wake_is_said_of_a_closed_loop():
    closed = "t# -[._loop]-> loop; loop: asyncio.events.Loop birth=0; loop -[._closed]-> yes"
    assert worst_leak(in_each_run(task("t#") + f"ts -[{{}}]-> t#; {closed}"))[1] == (
        "they can never wake: their event loop is closed"
    )


def test_why_they_never_wake_is_said_of_those_who_wait_for_others():
    joins = waiting_for_task("j#", "t").replace("birth=2", "birth=#")
    assert worst_leak(in_each_run(f"{joins} ts -[{{}}]-> j#"), old=OLD)[1] == (
        "they can never wake: they wait for others that never wake"
    )


@pytest.mark.parametrize(("others", "is_told"), [(20, True), (45, True), (55, False)])
def test_who_holds_survivors_is_looked_for_among_fifty_ways_to_wait(others: int, is_told: bool):
    crowd = "\n".join(task(f"o{at}", f"a{at}") + f"ts -[{{}}]-> o{at}" for at in range(others))
    assert (worst_leak(SESSIONS, old=f"{crowd}\n{OLD}")[0] is not None) is is_told
