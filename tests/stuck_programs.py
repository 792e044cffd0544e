"""Programs that wait, stuck and legitimate, from a grid: primitive x where it is kept x how it is waited for.

Standard library only: `stuck_runs.py` runs them in every Python version at hand.
"""

# ruff: noqa: E501  (a row of a table is one line)
from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NEVER, CAN_WAKE, DOUBT, LATER = "never", "can-wake", "doubt", "later"
"""DOUBT: whatever is said, it is no accusation. LATER: never, which is found in 3.14 and later; or nothing is said."""


@dataclass(frozen=True)
class Program:
    """`source` defines `async def start(keep)`; its waiting coroutine or thread is called `waiter_<name>`."""

    name: str
    source: str
    expected: str


PRIMITIVES = {
    # name: (how it is made, how it is waited for); `p` is the primitive.
    "event": ("asyncio.Event()", "await p.wait()"),
    "condition": ("asyncio.Condition()", "async with p: await p.wait()"),
    "condition_for": ("asyncio.Condition()", "async with p: await p.wait_for(lambda: False)"),
    "lock": ("await taken(asyncio.Lock())", "async with p: pass"),
    "semaphore": ("asyncio.Semaphore(0)", "await p.acquire()"),
    "bounded": ("await taken(asyncio.BoundedSemaphore(1))", "async with p: pass"),
    "queue": ("asyncio.Queue()", "await p.get()"),
    "full_queue": ("await filled(asyncio.Queue(1))", "await p.put(2)"),
    "priority": ("asyncio.PriorityQueue()", "await p.get()"),
    "join": ("await filled(asyncio.Queue())", "await p.join()"),
    "future": ("asyncio.get_running_loop().create_future()", "await p"),
    "barrier": ("asyncio.Barrier(2)", "await p.wait()"),
    "stream": ("asyncio.StreamReader()", "await p.readline()"),
    "drain": ("Drained()", "await p.drain()"),
    "concurrent": ("concurrent.futures.Future()", "await asyncio.wrap_future(p)"),
    "awaitable": ("Awaitable()", "await p"),
}
ANYIO = {
    "anyio_event": ("anyio.Event()", "await p.wait()"),
    "anyio_receive": ("anyio.create_memory_object_stream(1)[1]", "await p.receive()"),
    "anyio_send": ("anyio.create_memory_object_stream(0)[0]", "await p.send(1)"),
    "anyio_iterate": ("anyio.create_memory_object_stream(1)[1]", "async for _ in p: pass"),
    "anyio_lock": ("await taken(anyio.Lock())", "async with p: pass"),
    "anyio_semaphore": ("anyio.Semaphore(0)", "async with p: pass"),
    "anyio_condition": ("anyio.Condition()", "async with p: await p.wait()"),
}
STUCK_PLACES = {
    # The statements after the task is made; `p` is dropped in the end.
    "dropped": "",
    "session": "s = Session(); s.p = p; s.me = s; del s",
    "popped": "table['k'] = p; table.pop('k')",
    "replaced": "live.p = p; live.p = None",
    "another": "keep(waiter_of(p, NAME + '_other', later=asyncio.Event()))",
    "only_weak": "live.refs.append(weakref.ref(Session())); live.again = weakref.WeakKeyDictionary()",
    "garbage": "s = Session(); s.p = p; s.me = s; s = None",
    "cancelled_timer": "asyncio.get_running_loop().call_later(1000, str, p).cancel()",
    "ended_task": "t = asyncio.create_task(held_for(p, 0)); await t; del t",
    "finished_thread": "t = threading.Thread(target=repr, args=(p,)); t.start(); t.join(); del t",
}
LIVE_PLACES = {
    "global": "globals()['kept'] = p",
    "attribute": "live.p = p",
    "table": "table['k'] = p",
    "list": "live.refs.append(p)",
    "class": "Session.shared = p",
    "closure": "live.callback = lambda p=None: p\nlive.callback = (lambda q: lambda: q)(p)",
    "default": "def kept(q=p): pass\nglobals()['kept'] = kept",
    "partial": "live.callback = functools.partial(print, p)",
    "timer": "asyncio.get_running_loop().call_later(1000, str, p)",
    "timer_method": "s = Session(); s.p = p; asyncio.get_running_loop().call_later(1000, s.fire)",
    "reader": "asyncio.get_running_loop().add_reader(pipe(), str, p)",
    "signal": "asyncio.get_running_loop().add_signal_handler(free_signal(), str, p)",
    "thread": "start_thread(lambda q: time.sleep(1000), p)",
    "pool": "live.pool = concurrent.futures.ThreadPoolExecutor(1); live.pool.submit(sleep_with, p)",
    "pool_queue": "busy_pool().submit(str, p)",
    "loop_pool": "asyncio.get_running_loop().run_in_executor(None, sleep_with, p)",
    "task": "keep(held_for(p, 1000))",
    "task_of_task": "keep(held_by_child(p))",
    "done_callback": "t = asyncio.create_task(asyncio.sleep(1000)); keep_task(t); t.add_done_callback(lambda _, q=p: q)",
    "contextvar": "var.set(p); keep(asyncio.sleep(1000))",
    "weak_value": "remember_by_value(p)",
    "weak_ref": "remember_weakly(p)",
    "finalize": "weakref.finalize(live, str, p)",
    "del_in_garbage": "s = Finalized(); s.p = p; s.me = s; s = None",
    "atexit": "atexit.register(str, p)",
    "generator": "g = generator(p); next(g); live.refs.append(g)",
    "async_generator": "g = async_generator(p); await anext(g); live.refs.append(g)",
    "held_from_c": "ctypes.pythonapi.Py_IncRef(ctypes.py_object(p))",
    "exception": "live.refs.append(raised(p))",
    "method": "live.callback = Session(p=p).fire",
    "thread_local": "setattr(local, NAME, p)",
    "module": "m = types.ModuleType('made'); m.p = p; sys.modules['made_' + NAME] = m",
    "queue_of_worker": "q = asyncio.Queue(); q.put_nowait(p); live.refs.append(q)",
    "call_soon_chain": "asyncio.get_running_loop().call_later(1000, functools.partial(str, [p]))",
    "proxy_dict": "live.again = types.MappingProxyType({'p': p})",
    "slots": "s = Slotted(); s.p = p; live.refs.append(s)",
}
WAYS = {
    # name: (body of the waiting coroutine around `wait(p)`, expected when the primitive is lost)
    "nested": ("await inner(p)", NEVER),
    "gather_one": ("await asyncio.gather(inner(p))", NEVER),
    "gather_sleep": ("await asyncio.gather(inner(p), asyncio.sleep(1000))", NEVER),
    "gather_exceptions": ("await asyncio.gather(inner(p), other(), return_exceptions=True)", NEVER),
    "gather_other": ("await asyncio.gather(inner(p), other())", DOUBT),
    "gather_gather": ("await asyncio.gather(asyncio.gather(inner(p)), asyncio.sleep(1000))", NEVER),
    "shield": ("await asyncio.shield(inner(p))", NEVER),
    "task": ("await asyncio.ensure_future(inner(p))", NEVER),
    "group": ("async with asyncio.TaskGroup() as g: g.create_task(inner(p))", NEVER),
    "group_other": (
        "async with asyncio.TaskGroup() as g: g.create_task(inner(p)); g.create_task(other())",
        DOUBT,
    ),
    "wait": ("await asyncio.wait([asyncio.ensure_future(inner(p))])", NEVER),
    "wait_first": (
        "await asyncio.wait([asyncio.ensure_future(inner(p)), asyncio.ensure_future(other())], return_when='FIRST_COMPLETED')",
        CAN_WAKE,
    ),
    "wait_timeout": ("await asyncio.wait([asyncio.ensure_future(inner(p))], timeout=1000)", CAN_WAKE),
    "wait_for": ("await asyncio.wait_for(inner(p), 1000)", CAN_WAKE),
    "wait_for_none": ("await asyncio.wait_for(inner(p), None)", NEVER),
    "timeout": ("async with asyncio.timeout(1000): await inner(p)", CAN_WAKE),
    "timeout_gather": ("async with asyncio.timeout(1000): await asyncio.gather(inner(p))", CAN_WAKE),
    "timeout_none": ("async with asyncio.timeout(None): await inner(p)", NEVER),
    "generator": ("async for _ in stream(p): pass", NEVER),
    "generators": ("async for _ in piped(stream(p)): pass", NEVER),
    "closing": ("async with contextlib.aclosing(stream(p)) as s: await anext(s)", NEVER),
    "completed": ("for f in asyncio.as_completed([inner(p)]): await f", NEVER),
    "manager": ("async with manager(p): pass", NEVER),
    "stack": ("async with contextlib.AsyncExitStack() as s: await s.enter_async_context(manager(p))", NEVER),
    "timer_cancels": (
        "asyncio.get_running_loop().call_later(1000, asyncio.current_task().cancel); await inner(p)",
        CAN_WAKE,
    ),
    "timer_ends": (
        "t = asyncio.ensure_future(inner(p)); asyncio.get_running_loop().call_later(1000, lambda: t.cancel()); await t",
        DOUBT,
    ),
}
ANYIO_WAYS = {
    "fail_after": ("with anyio.fail_after(1000): await inner(p)", CAN_WAKE),
    "move_on": ("with anyio.move_on_after(1000): await inner(p)", CAN_WAKE),
    "anyio_group": ("async with anyio.create_task_group() as g: g.start_soon(inner, p)", NEVER),
    "anyio_group_timed": (
        "with anyio.move_on_after(1000):\n        async with anyio.create_task_group() as g: g.start_soon(inner, p)",
        CAN_WAKE,
    ),
    "anyio_scope": ("with anyio.CancelScope(): await inner(p)", NEVER),
}
THREAD_PRIMITIVES = {
    "event": ("threading.Event()", "p.wait()"),
    "condition": ("threading.Condition()", "with p: p.wait()"),
    "semaphore": ("threading.Semaphore(0)", "p.acquire()"),
    "queue": ("queue.Queue()", "p.get()"),
    "lifo": ("queue.LifoQueue()", "p.get()"),
    "full_queue": ("full(queue.Queue(1))", "p.put(2)"),
    "join": ("full(queue.Queue())", "p.join()"),
    "barrier": ("threading.Barrier(2)", "p.wait()"),
    "future": ("concurrent.futures.Future()", "p.result()"),
}
THREAD_STUCK = ("dropped", "session", "popped", "replaced", "garbage")
THREAD_LIVE = (
    "global",
    "attribute",
    "table",
    "timer",
    "thread",
    "task",
    "weak_ref",
    "finalize",
    "generator",
    "held_from_c",
)
"""A thread that waits with a time limit is not accused, one inside a lock or queue of C not in every version."""
THREAD_UNTOLD = {
    "timed": ("threading.Event()", "p.wait(1000)", DOUBT),
    "timed_queue": ("queue.Queue()", "p.get(timeout=1000)", DOUBT),
    "timed_lock": ("locked(threading.Lock())", "p.acquire(timeout=1000)", DOUBT),
    "timed_lock_by_place": ("locked(threading.Lock())", "p.acquire(True, 1000)", DOUBT),
    "timed_simple_queue": ("queue.SimpleQueue()", "p.get(True, 1000)", DOUBT),
    "timed_join": ("thread_of(threading.Event().wait)", "p.join(1000)", DOUBT),
    "lock": ("locked(threading.Lock())", "p.acquire()", LATER),
    "lock_true": ("locked(threading.Lock())", "p.acquire(True)", LATER),
    "with_lock": ("locked(threading.Lock())", "with p: pass", LATER),
    "simple_queue": ("queue.SimpleQueue()", "p.get()", LATER),
    "join": ("thread_of(threading.Event().wait)", "p.join()", NEVER),
    "sleeps": ("threading.Event()", "time.sleep(1000)", DOUBT),
}

TRIO = {
    "trio_event": ("trio.Event()", "await p.wait()"),
    "trio_lock": ("await taken_by_lost(keep, trio.Lock())", "async with p: pass"),
    "trio_fifo_lock": ("await taken_by_lost(keep, trio.StrictFIFOLock())", "async with p: pass"),
    "trio_semaphore": ("trio.Semaphore(0)", "await p.acquire()"),
    "trio_limiter": ("await limited(trio.CapacityLimiter(1))", "async with p: pass"),
    "trio_condition": ("trio.Condition()", "async with p: await p.wait()"),
    "trio_receive": ("trio.open_memory_channel(0)[1]", "await p.receive()"),
    "trio_iterate": ("trio.open_memory_channel(1)[1]", "async for _ in p: pass"),
    "trio_send": ("trio.open_memory_channel(0)[0]", "await p.send(1)"),
    "trio_parked": ("trio.lowlevel.ParkingLot()", "await p.park()"),
    "trio_awaitable": ("TrioAwaitable()", "await p"),
}
TRIO_WAYS = {
    "nested": ("await inner(p)", NEVER),
    "nursery": ("async with trio.open_nursery() as n: n.start_soon(inner, p)", NEVER),
    "nurseries": (
        "async with trio.open_nursery() as n:\n        async with trio.open_nursery() as m: m.start_soon(inner, p)",
        NEVER,
    ),
    "nursery_other": (
        "async with trio.open_nursery() as n: n.start_soon(inner, p); n.start_soon(trio.sleep, 1000)",
        DOUBT,
    ),
    "fail_after": ("with trio.fail_after(1000): await inner(p)", CAN_WAKE),
    "move_on": ("with trio.move_on_after(1000): await inner(p)", CAN_WAKE),
    "move_on_nursery": (
        "with trio.move_on_after(1000):\n        async with trio.open_nursery() as n: n.start_soon(inner, p)",
        CAN_WAKE,
    ),
    "no_deadline": ("with trio.CancelScope(): await inner(p)", NEVER),
    "shielded": ("with trio.CancelScope(shield=True): await inner(p)", NEVER),
    "scope_held": ("with trio.CancelScope() as live.scope: await inner(p)", DOUBT),
    "nursery_held": (
        "async with trio.open_nursery() as live.nursery: live.nursery.start_soon(inner, p)",
        DOUBT,
    ),
    "generator": ("async for _ in stream(p): pass", NEVER),
    "manager": ("async with manager(p): pass", NEVER),
    "stack": ("async with contextlib.AsyncExitStack() as s: await s.enter_async_context(manager(p))", NEVER),
}
TRIO_PLACES = (
    *("dropped", "session", "popped", "replaced", "only_weak", "garbage", "finished_thread"),
    *("global", "attribute", "table", "list", "class", "closure", "default", "partial", "thread", "pool"),
    *("pool_queue", "generator", "held_from_c", "exception", "weak_ref", "weak_value", "finalize"),
    *("del_in_garbage", "atexit", "proxy_dict", "slots", "method", "module", "thread_local"),
)

OBJECTS = """class Session:
    def __init__(self, **names): self.__dict__.update(names)
    def fire(self): pass
class Finalized(Session):
    def __del__(self): str(self.p)
live, table, NAME = Session(refs=[]), {{}}, {name!r}
"""
"""What each program of a grid or a nesting is around, by `name`: what stays, and where it is kept."""
_HEAD = (
    """
async def waiter_{name}(p):
    {body}
async def inner(p):
    {wait}
def waiter_of(p, name, later=None):
    async def other_waiter(p, later): await later.wait()
    return other_waiter(p, later)
async def stream(p):
    await inner(p)
    yield 1
async def piped(source):
    async for item in source: yield item
@contextlib.asynccontextmanager
async def manager(p):
    await inner(p)
    yield p
"""
    + OBJECTS
    + """async def start(keep, keep_task):
    p = {made}
    {keeping}
    await asyncio.sleep(0)
    await asyncio.sleep(0)
{place}
    del p
"""
)
_KEEPING = (
    "keep(waiter_{name}(p))",
    "t = asyncio.create_task(waiter_{name}(p)); kept_list.append(t); del t",
    "t = asyncio.create_task(waiter_{name}(p)); kept_dict[NAME] = t; del t",
)
_THREAD = """
def waiter_{name}(p):
    {wait}
"""


def programs(*, with_anyio: bool) -> list[Program]:
    """The whole grid, and what is in no grid."""
    return [*_grid(with_anyio=with_anyio), *_threads(), *_specials()]


OWNED = {
    "owner_runs": (CAN_WAKE, "trio.sleep(1000)"),
    "owner_is_lost": (NEVER, "lost(trio.Event())"),
}


def programs_of_trio(*, with_anyio: bool) -> list[Program]:
    """The grid of trio, for a loop of its own."""
    grid = []
    for primitive, (made, wait) in (TRIO | (ANYIO if with_anyio else {})).items():
        for place in TRIO_PLACES:
            expected = NEVER if place in STUCK_PLACES else CAN_WAKE
            grid.append(_of_trio(f"{primitive}_{place}", made, wait, "await inner(p)", place, expected))
        for (way, (body, lost)), place in itertools.product(TRIO_WAYS.items(), ("dropped", "attribute")):
            expected = lost if place in STUCK_PLACES else CAN_WAKE
            grid.append(_of_trio(f"{primitive}_{way}_{place}", made, wait, body, place, expected))
    for name, (expected, body) in OWNED.items():
        source = f"""
async def lost(p): await p.wait()
async def owner(lock):
    async with lock: await {body}
async def waiter_{name}(lock):
    async with lock: pass
async def start(keep, keep_task):
    lock = trio.Lock(); keep(owner(lock)); await trio.sleep(0.01); keep(waiter_{name}(lock))
"""
        grid.append(Program(name, source, expected))
    return grid


def _of_trio(name: str, made: str, wait: str, body: str, place: str, expected: str) -> Program:
    # A lock whose owner runs is broken when that one ends.
    made = made.replace("taken(anyio", "taken_by_lost(keep, anyio")
    if name.startswith("trio_awaitable") and "nurser" not in name and expected == NEVER:
        expected = DOUBT  # it waits for no object of trio's: it may be there to be cancelled
    program = _program(name, made, wait, body, (STUCK_PLACES | LIVE_PLACES)[place], expected, 0)
    return Program(name, program.source.replace("asyncio.sleep(0)", "trio.sleep(0)"), expected)


def _grid(*, with_anyio: bool) -> Iterator[Program]:
    primitives = PRIMITIVES | (ANYIO if with_anyio else {})
    ways = WAYS | (ANYIO_WAYS if with_anyio else {})
    number = itertools.count()
    for (primitive, (made, wait)), (place, kept) in itertools.product(
        primitives.items(), (STUCK_PLACES | LIVE_PLACES).items()
    ):
        expected = NEVER if place in STUCK_PLACES else CAN_WAKE
        name = f"{primitive}_{place}"
        yield _program(name, made, wait, "await inner(p)", kept, expected, next(number))
    places = ("dropped", "session", "attribute", "timer")
    for (primitive, (made, wait)), (way, (body, lost)), place in itertools.product(
        primitives.items(), ways.items(), places
    ):
        expected = lost if place in STUCK_PLACES else CAN_WAKE
        kept = (STUCK_PLACES | LIVE_PLACES)[place]
        yield _program(f"{primitive}_{way}_{place}", made, wait, body, kept, expected, next(number))


def _program(name: str, made: str, wait: str, body: str, kept: str, expected: str, number: int) -> Program:
    place = "\n".join(f"    {line}" for line in kept.splitlines())
    keeping = _KEEPING[number % len(_KEEPING)].format(name=name)
    source = _HEAD.format(name=name, body=body, wait=wait, made=made, keeping=keeping, place=place)
    return Program(name, source, expected)


def _threads() -> Iterator[Program]:
    places = STUCK_PLACES | LIVE_PLACES
    for (primitive, (made, wait)), place in itertools.product(
        THREAD_PRIMITIVES.items(), (*THREAD_STUCK, *THREAD_LIVE)
    ):
        expected = NEVER if place in THREAD_STUCK else CAN_WAKE
        yield _thread(f"thread_{primitive}_{place}", made, wait, places[place], expected)
    for primitive, (made, wait, expected) in THREAD_UNTOLD.items():
        yield _thread(f"thread_{primitive}", made, wait, "", expected)


def _thread(name: str, made: str, wait: str, kept: str, expected: str) -> Program:
    program = _program(name, made, "pass", "pass", kept, expected, 0)
    source = program.source.replace(f"async def waiter_{name}", f"async def unused_{name}")
    source = source.replace(f"keep(waiter_{name}(p))", f"start_thread(waiter_{name}, p)")
    return Program(name, source + _THREAD.format(name=name, wait=wait), expected)


SPECIALS = {
    # name: (expected, source of the statements of start())
    "deadlock_ring": (
        NEVER,
        """
async def waiter_NAME(mine, other): await other.wait()
async def start(keep, keep_task):
    a, b = asyncio.Event(), asyncio.Event()
    keep(waiter_NAME(a, b)); keep(waiter_NAME(b, a))
""",
    ),
    "chain_of_tasks": (
        NEVER,
        """
async def last(): f = asyncio.get_running_loop().create_future(); await f
async def waiter_NAME(depth): await asyncio.ensure_future(waiter_NAME(depth - 1) if depth else last())
async def start(keep, keep_task): keep(waiter_NAME(20))
""",
    ),
    "chain_that_wakes": (
        CAN_WAKE,
        """
async def start(keep, keep_task):
    async def waiter_NAME(depth):
        await (asyncio.ensure_future(waiter_NAME(depth - 1)) if depth else asyncio.sleep(1000))
    keep(waiter_NAME(20))
""",
    ),
    "forever_by_name": (
        DOUBT,
        """
async def waiter_NAME(): await asyncio.Event().wait()
class Service: pass
async def start(keep, keep_task):
    live.service = Service(); live.service.task = asyncio.create_task(waiter_NAME())
""",
    ),
    "forever_in_list": (
        DOUBT,
        """
async def waiter_NAME(): await asyncio.Future()
async def start(keep, keep_task):
    live.tasks = [asyncio.create_task(waiter_NAME())]
""",
    ),
    "forever_in_module": (
        DOUBT,
        """
async def waiter_NAME(): stop = asyncio.Event(); await stop.wait()
async def start(keep, keep_task):
    global runner
    runner = asyncio.create_task(waiter_NAME())
""",
    ),
    "local_of_live_task": (
        DOUBT,
        """
async def waiter_NAME(): stop = asyncio.Event(); await stop.wait()
async def owner(): t = asyncio.create_task(waiter_NAME()); await asyncio.sleep(1000); t.cancel()
async def start(keep, keep_task): keep(owner())
""",
    ),
    "set_in_finally_of_cancellable": (
        DOUBT,
        """
async def waiter_NAME(e): await e.wait()
async def helper(e):
    stop = asyncio.Event()
    try: await stop.wait()
    finally: e.set()
async def start(keep, keep_task):
    e = asyncio.Event(); keep(waiter_NAME(e)); live.task = asyncio.create_task(helper(e))
""",
    ),
    "connection": (
        CAN_WAKE,
        """
async def waiter_NAME(port):
    r, w = await asyncio.open_connection('127.0.0.1', port)
    await r.read(10)
async def start(keep, keep_task):
    server = await asyncio.start_server(lambda r, w: live.refs.append(w), '127.0.0.1', 0)
    live.server = server
    keep(waiter_NAME(server.sockets[0].getsockname()[1]))
    await asyncio.sleep(0.05)
""",
    ),
    "connection_reader_only": (
        CAN_WAKE,
        """
async def waiter_NAME(port):
    r, w = await asyncio.open_connection('127.0.0.1', port)
    await only_reads(r)
async def only_reads(r): await r.readexactly(10)
async def start(keep, keep_task):
    server = await asyncio.start_server(lambda r, w: live.refs.append(w), '127.0.0.1', 0)
    live.server = server
    keep(waiter_NAME(server.sockets[0].getsockname()[1]))
    await asyncio.sleep(0.05)
""",
    ),
    "server_forever": (
        CAN_WAKE,
        """
async def waiter_NAME():
    server = await asyncio.start_server(lambda r, w: None, '127.0.0.1', 0)
    async with server: await server.serve_forever()
async def start(keep, keep_task): keep(waiter_NAME()); await asyncio.sleep(0.05)
""",
    ),
    "socket_accept": (
        CAN_WAKE,
        """
async def waiter_NAME():
    s = socket.create_server(('127.0.0.1', 0)); s.setblocking(False)
    await asyncio.get_running_loop().sock_accept(s)
async def start(keep, keep_task): keep(waiter_NAME()); await asyncio.sleep(0.01)
""",
    ),
    "subprocess": (
        CAN_WAKE,
        """
async def waiter_NAME():
    child = await asyncio.create_subprocess_exec('sleep', '30', stdout=-1, stderr=-3)
    live.refs.append(child.pid)
    await child.wait()
async def start(keep, keep_task): keep(waiter_NAME()); await asyncio.sleep(0.2)
""",
    ),
    "subprocess_output": (
        CAN_WAKE,
        """
async def waiter_NAME():
    child = await asyncio.create_subprocess_exec('sleep', '30', stdout=-1, stderr=-3)
    await child.communicate()
async def start(keep, keep_task): keep(waiter_NAME()); await asyncio.sleep(0.2)
""",
    ),
    "to_thread": (
        CAN_WAKE,
        """
async def waiter_NAME(): await asyncio.to_thread(time.sleep, 1000)
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "threadsafe": (
        CAN_WAKE,
        """
async def waiter_NAME(p): await p
def later(loop, p): time.sleep(1000); loop.call_soon_threadsafe(p.set_result, 1)
async def start(keep, keep_task):
    p = asyncio.get_running_loop().create_future()
    start_thread(functools.partial(later, asyncio.get_running_loop()), p)
    keep(waiter_NAME(p))
""",
    ),
    "from_other_thread": (
        CAN_WAKE,
        """
async def waiter_NAME(): await asyncio.sleep(1000)
def run(p): asyncio.run_coroutine_threadsafe(waiter_NAME(), p).result()
async def start(keep, keep_task):
    start_thread(run, asyncio.get_running_loop()); await asyncio.sleep(0.05)
""",
    ),
    "closed_loop": (
        NEVER,
        """
async def waiter_NAME(p): await p.wait()
async def soon(p): kept_list.append(asyncio.ensure_future(waiter_NAME(p))); await asyncio.sleep(0)
async def start(keep, keep_task):
    def other(p):
        loop = asyncio.new_event_loop(); live.e = asyncio.Event()
        loop.run_until_complete(soon(live.e)); loop.close()
    t = threading.Thread(target=other, args=(1,)); t.start(); t.join()
""",
    ),
    "loop_of_other_thread": (
        CAN_WAKE,
        """
async def waiter_NAME(): await asyncio.sleep(1000)
async def start(keep, keep_task):
    start_thread(lambda p: asyncio.run(waiter_NAME()), 1); await asyncio.sleep(0.1)
""",
    ),
    "stopped_loop": (
        DOUBT,
        """
async def waiter_NAME(): await asyncio.sleep(1000)
async def start(keep, keep_task):
    def other(p):
        loop = asyncio.new_event_loop(); live.loop = loop
        live.task = loop.create_task(waiter_NAME()); loop.run_until_complete(asyncio.sleep(0, loop and None))
    t = threading.Thread(target=other, args=(1,)); t.start(); t.join()
""",
    ),
    "dropped_executor": (
        DOUBT,
        """
async def start(keep, keep_task):
    pool = concurrent.futures.ThreadPoolExecutor(1); pool.submit(waiter_NAME).result()
def waiter_NAME(): pass
""",
    ),
    "thread_subclass": (
        NEVER,
        """
class Worker(threading.Thread):
    def __init__(self): super().__init__(daemon=True); self.jobs = queue.Queue()
    def run(self): waiter_NAME(self)
def waiter_NAME(self): self.jobs.get()
async def start(keep, keep_task): Worker().start(); await asyncio.sleep(0.02)
""",
    ),
    "thread_subclass_held": (
        CAN_WAKE,
        """
class Worker(threading.Thread):
    def __init__(self): super().__init__(daemon=True); self.jobs = queue.Queue()
    def run(self): waiter_NAME(self)
def waiter_NAME(self): self.jobs.get()
async def start(keep, keep_task): live.w = Worker(); live.w.start(); await asyncio.sleep(0.02)
""",
    ),
    "threads_wait_for_each_other": (
        NEVER,
        """
def waiter_NAME(pair): pair[0].wait()
async def start(keep, keep_task):
    a, b = threading.Event(), threading.Event()
    start_thread(waiter_NAME, (a, b)); start_thread(waiter_NAME, (b, a)); await asyncio.sleep(0.02)
""",
    ),
    "task_of_stuck_thread": (
        NEVER,
        """
async def waiter_NAME(p): await p
def stuck(pair): pair[0].wait()
async def start(keep, keep_task):
    p = asyncio.get_running_loop().create_future(); keep(waiter_NAME(p))
    start_thread(stuck, (threading.Event(), p)); await asyncio.sleep(0.02)
""",
    ),
    "thread_joins_one_that_sleeps": (
        CAN_WAKE,
        """
def waiter_NAME(thread): thread.join()
async def start(keep, keep_task): start_thread(waiter_NAME, thread_of(time.sleep, 1000)); await asyncio.sleep(0.02)
""",
    ),
    "threads_join_one_whose_event_is_known": (
        CAN_WAKE,
        """
def waiter_NAME(thread): thread.join()
async def start(keep, keep_task):
    live.event = threading.Event(); first = thread_of(live.event.wait)
    start_thread(waiter_NAME, thread_of(waiter_NAME, first)); await asyncio.sleep(0.02)
""",
    ),
    "lock_of_thread_that_sleeps": (
        DOUBT,
        """
def waiter_NAME(p): p.acquire()
def owner(p):
    with p: time.sleep(1000)
async def start(keep, keep_task):
    p = threading.Lock(); start_thread(owner, p); await asyncio.sleep(0.02)
    start_thread(waiter_NAME, p); await asyncio.sleep(0.02)
""",
    ),
    "two_in_one_lock": (
        DOUBT,
        """
def waiter_NAME(p): p.acquire()
async def start(keep, keep_task):
    p = locked(threading.Lock()); start_thread(waiter_NAME, p); start_thread(waiter_NAME, p)
    await asyncio.sleep(0.02)
""",
    ),
    "executor_job_stuck": (
        DOUBT,
        """
async def waiter_NAME(): await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 1000)
async def start(keep, keep_task): keep(waiter_NAME()); await asyncio.sleep(0.02)
""",
    ),
    "producer_died": (
        NEVER,
        """
async def producer(q): await asyncio.sleep(0); raise ValueError
async def waiter_NAME(q): await q.get()
async def start(keep, keep_task):
    q = asyncio.Queue()
    keep(waiter_NAME(q)); t = asyncio.create_task(producer(q))
    try: await t
    except ValueError: pass
    del t, q
""",
    ),
    "two_of_a_queue": (
        CAN_WAKE,
        """
async def waiter_NAME(q): await q.get()
async def producer(q): await asyncio.sleep(1000); q.put_nowait(1)
async def start(keep, keep_task):
    q = asyncio.Queue(); keep(waiter_NAME(q)); keep(waiter_NAME(q)); keep(producer(q))
""",
    ),
    "pipeline_without_source": (
        NEVER,
        """
async def waiter_NAME(a, b):
    while True: b.put_nowait(await a.get())
async def start(keep, keep_task):
    a, b, c = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
    keep(waiter_NAME(a, b)); keep(waiter_NAME(b, c)); live.sink = c
""",
    ),
    "pipeline_with_source": (
        CAN_WAKE,
        """
async def waiter_NAME(a, b):
    while True: b.put_nowait(await a.get())
async def start(keep, keep_task):
    a, b, c = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
    keep(waiter_NAME(a, b)); keep(waiter_NAME(b, c)); live.source = a
""",
    ),
    "about_to_wake": (
        CAN_WAKE,
        """
async def waiter_NAME(p):
    await p.wait(); await asyncio.sleep(1000)
async def start(keep, keep_task):
    p = asyncio.Event(); keep(waiter_NAME(p)); await asyncio.sleep(0); p.set()
""",
    ),
    "busy": (
        CAN_WAKE,
        """
async def waiter_NAME():
    while True: await asyncio.sleep(0.001)
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "subclassed_task": (
        NEVER,
        """
class Named(asyncio.Task): pass
async def waiter_NAME(): q = asyncio.Queue(); await q.get()
async def start(keep, keep_task): keep_task(Named(waiter_NAME(), loop=asyncio.get_running_loop()))
""",
    ),
    "python_task": (
        NEVER,
        """
async def waiter_NAME(): q = asyncio.Queue(); await q.get()
async def start(keep, keep_task): keep_task(asyncio.tasks._PyTask(waiter_NAME(), loop=asyncio.get_running_loop()))
""",
    ),
    "python_task_held": (
        CAN_WAKE,
        """
async def waiter_NAME(q): await q.get()
async def start(keep, keep_task):
    live.q = asyncio.Queue()
    keep_task(asyncio.tasks._PyTask(waiter_NAME(live.q), loop=asyncio.get_running_loop()))
""",
    ),
    "python_future": (
        NEVER,
        """
async def waiter_NAME(): f = asyncio.futures._PyFuture(loop=asyncio.get_running_loop()); await f
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "lazy_group_with_live_body": (
        CAN_WAKE,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME():
    async with asyncio.TaskGroup() as g:
        g.create_task(lost()); await asyncio.sleep(1000)
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "child_of_live_group": (
        DOUBT,
        """
async def waiter_NAME(): q = asyncio.Queue(); await q.get()
async def parent():
    async with asyncio.TaskGroup() as g:
        g.create_task(waiter_NAME()); await asyncio.sleep(1000)
async def start(keep, keep_task): keep(parent())
""",
    ),
    "gather_of_future_and_stuck": (
        NEVER,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME():
    f = asyncio.get_running_loop().create_future(); f.set_result(1)
    await asyncio.gather(f, lost(), return_exceptions=True)
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "gather_of_finished_and_live": (
        CAN_WAKE,
        """
async def quick(): pass
async def waiter_NAME(): await asyncio.gather(quick(), asyncio.sleep(1000), return_exceptions=True)
async def start(keep, keep_task): keep(waiter_NAME()); await asyncio.sleep(0.01)
""",
    ),
    "gather_stored": (
        NEVER,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME(g): await g
async def start(keep, keep_task):
    g = asyncio.gather(lost(), lost()); keep(waiter_NAME(g)); await asyncio.sleep(0); del g
""",
    ),
    "gather_held": (
        DOUBT,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME(g): await g
async def start(keep, keep_task):
    live.g = asyncio.gather(lost(), lost()); keep(waiter_NAME(live.g))
""",
    ),
    "gather_in_live_function": (
        DOUBT,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME(g): await g
async def owner(keep): g = asyncio.gather(lost(), lost()); keep(waiter_NAME(g)); await asyncio.sleep(1000); g.cancel()
async def start(keep, keep_task): keep(owner(keep))
""",
    ),
    "wait_with_quick_one": (
        NEVER,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def quick(): pass
async def waiter_NAME(): await asyncio.wait({asyncio.ensure_future(quick()), asyncio.ensure_future(lost())})
async def start(keep, keep_task): keep(waiter_NAME()); await asyncio.sleep(0.01)
""",
    ),
    "wait_for_first_of_stuck_and_live": (
        CAN_WAKE,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME():
    await asyncio.wait([asyncio.ensure_future(lost()), asyncio.ensure_future(other())], return_when=''.join(['FIRST_', 'COMPLETED']))
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "group_with_a_sleeper": (
        NEVER,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME():
    async with asyncio.TaskGroup() as g: g.create_task(lost()); g.create_task(asyncio.sleep(1000))
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "group_that_somebody_has": (
        DOUBT,
        """
async def lost(): q = asyncio.Queue(); await q.get()
async def waiter_NAME():
    async with asyncio.TaskGroup() as g: live.g = g; g.create_task(lost()); g.create_task(asyncio.sleep(1000))
async def start(keep, keep_task): keep(waiter_NAME())
""",
    ),
    "worker_of_a_pool_of_its_own": (
        NEVER,
        """
async def waiter_NAME(e): await asyncio.to_thread(e.wait)
async def start(keep, keep_task): keep(waiter_NAME(threading.Event())); await asyncio.sleep(0.05)
""",
    ),
    "worker_that_somebody_tells": (
        CAN_WAKE,
        """
async def waiter_NAME(e): await asyncio.to_thread(e.wait)
async def start(keep, keep_task):
    live.e = threading.Event(); keep(waiter_NAME(live.e)); await asyncio.sleep(0.05)
""",
    ),
    "thread_kept_with_its_arguments": (
        NEVER,
        """
def waiter_NAME(q): q.get()
async def start(keep, keep_task):
    t = threading.Thread(target=waiter_NAME, args=(queue.Queue(),), daemon=True); t.start(); live.thread = t
    await asyncio.sleep(0.02)
""",
    ),
    "loop_variable": (
        NEVER,
        """
async def waiter_NAME(): q = asyncio.Queue(); await q.get()
async def owner(keep_task):
    for _ in range(2): t = asyncio.create_task(waiter_NAME()); keep_task(t)
    await asyncio.sleep(1000)
async def start(keep, keep_task): keep(owner(keep_task))
""",
    ),
    "generator_in_use": (
        NEVER,
        """
async def numbers(q):
    while True: yield await q.get()
async def waiter_NAME(body):
    async for _ in body: pass
async def start(keep, keep_task):
    live.body = numbers(asyncio.Queue()); keep(waiter_NAME(live.body)); await asyncio.sleep(0)
""",
    ),
    "coroutine_in_use": (
        NEVER,
        """
async def waiter_NAME(q): await q.get()
async def start(keep, keep_task):
    live.coroutine = waiter_NAME(asyncio.Queue()); keep(live.coroutine)
""",
    ),
    "generator_between_items": (
        CAN_WAKE,
        """
async def numbers(q):
    yield 1
    q.put_nowait(1)
async def waiter_NAME(q): await q.get()
async def start(keep, keep_task):
    q = asyncio.Queue(); live.body = numbers(q); await anext(live.body); keep(waiter_NAME(q))
""",
    ),
    "generator_of_a_live_task": (
        CAN_WAKE,
        """
async def numbers(q):
    yield 1
    await asyncio.sleep(1000)
    q.put_nowait(1)
async def reader(body):
    async for _ in body: pass
async def waiter_NAME(q): await q.get()
async def start(keep, keep_task):
    q = asyncio.Queue(); live.body = numbers(q); keep(reader(live.body)); keep(waiter_NAME(q))
""",
    ),
    "debounce_heartbeat": (
        NEVER,
        """
class Service:
    def __init__(self): self.tasks = set()
    def beat(self): asyncio.get_running_loop().call_later(1000, self.beat)
async def waiter_NAME(): q = asyncio.Queue(); await q.get()
async def start(keep, keep_task):
    s = Service(); s.beat(); s.tasks.add(asyncio.create_task(waiter_NAME()))
""",
    ),
}


def _specials() -> Iterator[Program]:
    for name, (expected, source) in SPECIALS.items():
        head = "class Session:\n    def __init__(self, **names): self.__dict__.update(names)\n"
        head += "live = Session(refs=[])\n"
        yield Program(name, head + source.replace("NAME", name), expected)


def answers_by_program(found: Any) -> dict[str, set[str]]:  # Any: a Stuck
    """What is said of each program, by the names of its functions."""
    answers: dict[str, set[str]] = {}
    for group in found.groups:
        for function in {group.name, *(step.function for step in group.chain)}:
            name = function.rpartition(".")[2]
            if name.startswith("waiter_"):
                answers.setdefault(name.removeprefix("waiter_"), set()).add(group.answer.value)
    return answers


def wrong_answers(chosen: list[Program], found: Any) -> list[tuple[str, str, list[str]]]:
    """(program, what is true, what was said) of each wrong answer."""
    answers = answers_by_program(found)
    is_right = {
        NEVER: lambda said: "never" in said,
        CAN_WAKE: lambda said: said <= {"can-wake"},
        DOUBT: lambda said: "never" not in said,
        LATER: lambda said: said <= {"never"},
    }
    return [
        (one.name, one.expected, sorted(answers.get(one.name, ())))
        for one in chosen
        if not is_right[one.expected](answers.get(one.name, set()))
    ]
