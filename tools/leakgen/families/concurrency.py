"""Leaks in threads, executors and the event loop."""

from ..registry import leak


@leak
def thread_per_run(g):
    """A thread for each request that waits for an event which never comes."""
    thing, stop, wait = g.thing(bare=True), g.name("{}_stop"), g.name("watch_{}")
    return g.leak(
        f"""
        import threading
        {stop} = threading.Event()
        def {wait}(value):
            {stop}.wait()
        def {g.step}(i):
            for k in {g.each}:
                threading.Thread(target={wait}, args=({thing.new()},), daemon=True).start()
        """,
        {thing.name: 1, "Thread": 1},
        [
            [
                wait,
                r"threading\._active",
                r"Thread\._target",
                r"Thread\._args",
                stop,
                r"Event\._cond",
                r"Condition\._waiters",
            ]
        ],
        f"{stop}.set()",
        by_threads=True,
    )


@leak
def executor_per_run(g):
    """A ThreadPoolExecutor for each request, kept in a list and never shut down."""
    pools = g.name("{}_pools")
    return g.leak(
        f"""
        import concurrent.futures
        {pools} = []
        def {g.step}(i):
            for k in {g.each}:
                pool = concurrent.futures.ThreadPoolExecutor(1)
                pool.submit(int).result()
                {pools}.append(pool)
        """,
        {"ThreadPoolExecutor": 1},
        [pools],
        f"for p in {pools}: p.shutdown()\n{pools}.clear(); p = pool = None",
        probe=f"len({pools})",
    )


@leak
def timer_per_run(g):
    """threading.Timer an hour ahead for each request."""
    thing, expire = g.thing(bare=True), g.name("expire_{}")
    return g.leak(
        f"""
        import threading
        def {expire}(value):
            pass
        def {g.step}(i):
            for k in {g.each}:
                timer = threading.Timer(3600, {expire}, [{thing.new()}])
                timer.daemon = True
                timer.start()
        """,
        {thing.name: 1, "Timer": 1},
        [[expire, r"threading\._active", r"Timer\.args", r"local 'self'"]],
        "for t in threading.enumerate():\n"
        f"    if isinstance(t, threading.Timer) and t.function is {expire}: t.cancel(); t.join()\nt = None",
        by_threads=True,
    )


@leak
def futures_unanswered(g):
    """Requests whose answers never come, each with a callback."""
    thing, pending = g.thing(bare=True), g.name("pending_{}s")
    return g.leak(
        f"""
        import concurrent.futures
        {pending} = {{}}
        def {g.step}(i):
            for k in {g.each}:
                future = concurrent.futures.Future()
                future.add_done_callback(lambda f, value={thing.new()}: value)
                {pending}[i * 100 + k] = future
        """,
        {thing.name: 1, "Future": 1, "function": 1},
        [pending],
        f"{pending}.clear()",
    )


@leak
def tasks_for_ever(g):
    """A task for each request that waits for an event; the service keeps them in a set."""
    thing, tasks, stop, watch = g.thing(bare=True), g.name("{}_tasks"), g.name("{}_stop"), g.name("watch_{}")
    return g.leak(
        f"""
        import asyncio
        {tasks} = set()
        {stop} = asyncio.Event()
        async def {watch}(value):
            await {stop}.wait()
            return value
        async def {g.step}(i):
            for k in {g.each}:
                task = asyncio.create_task({watch}({thing.new()}))
                {tasks}.add(task)
                task.add_done_callback({tasks}.discard)
            await asyncio.sleep(0)
        """,
        {thing.name: 1, "Task": 1, "coroutine": 1, "Future": 1},
        [[tasks], [stop, r"Event\._waiters"]],
        f"{stop}.set()",
        alternatives=[[tasks], [stop], [watch]],
    )


@leak
def tasks_sleeping(g):
    """A task for each request that sleeps for a day: only the loop holds it."""
    thing, watch = g.thing(bare=True), g.name("expire_{}")
    return g.leak(
        f"""
        import asyncio
        async def {watch}(value):
            await asyncio.sleep(86400)
            return value
        async def {g.step}(i):
            for k in {g.each}:
                asyncio.create_task({watch}({thing.new()}))
            await asyncio.sleep(0)
        """,
        {thing.name: 1, "Task": 1, "coroutine": 1, "TimerHandle": 1, "Future": 1},
        [[watch, r"_scheduled", r"TimerHandle\._args"]],
        f"for t in asyncio.all_tasks(LOOP):\n    if t.get_coro().__name__ == '{watch}': t.cancel()\nt = None",
    )


@leak
def call_later_far(g):
    """loop.call_later a day ahead."""
    thing, expire = g.thing(bare=True), g.name("expire_{}")
    return g.leak(
        f"""
        import asyncio
        def {expire}(value):
            pass
        async def {g.step}(i):
            for k in {g.each}:
                asyncio.get_running_loop().call_later(86400, {expire}, {thing.new()})
        """,
        {thing.name: 1, "TimerHandle": 1},
        [[r"_scheduled", r"TimerHandle\._args"]],
        f"for h in LOOP._scheduled:\n    if h._callback is {expire}: h.cancel()\n"
        "LOOP._scheduled[:] = [h for h in LOOP._scheduled if not h._cancelled]\nh = None",
    )


@leak
def callbacks_on_one_future(g):
    """Each request adds a callback to the future of the shutdown."""
    thing, closing, note = g.thing(bare=True), g.name("{}_closing"), g.name("note_{}")
    return g.leak(
        f"""
        import asyncio, functools
        {closing} = None
        def {note}(value, future):
            pass
        async def {g.step}(i):
            global {closing}
            if {closing} is None:
                {closing} = asyncio.get_running_loop().create_future()
            for k in {g.each}:
                {closing}.add_done_callback(functools.partial({note}, {thing.new()}))
        """,
        {thing.name: 1, "partial": 1},
        [[closing, r"_callbacks"]],
        f"for c, _ in list({closing}._callbacks or []): {closing}.remove_done_callback(c)\nc = None",
    )
