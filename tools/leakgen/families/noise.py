"""What goes on beside the work, and how the work is passed on. `wrap`: an expression with CALL in it."""

from ..registry import noise


@noise
def async_poller(g):
    poll, start, seconds = g.name("poll_{}"), g.name("start_{}"), g.rng.choice((0.05, 0.1, 0.3, 0.5))
    return g.noise(
        f"""
        import asyncio
        async def {poll}():
            while True:
                health = {{"at": asyncio.get_running_loop().time(), "state": ["up"]}}
                await asyncio.sleep({seconds})
        async def {start}():
            {start}.task = asyncio.create_task({poll}())
        """,
        start=start,
        is_async=True,
    )


@noise
def periodic_gc(g):
    collect = g.name("collect_{}")
    return g.noise(f"""
        import gc, threading, time
        def {collect}():
            while True:
                time.sleep(0.3)
                gc.collect()
        threading.Thread(target={collect}, daemon=True).start()
        """)


@noise
def worker_thread(g):
    """The work is passed to a thread, whose locals hold the last item."""
    call, inbox, loop = g.name("via_{}"), g.name("{}_inbox"), g.name("{}_loop")
    return g.noise(
        f"""
        import queue, threading, concurrent.futures
        {inbox} = queue.SimpleQueue()
        def {loop}():
            while True:
                function, argument, answer = {inbox}.get()
                answer.set_result(function(argument))
        threading.Thread(target={loop}, daemon=True).start()
        def {call}(function, argument):
            answer = concurrent.futures.Future()
            {inbox}.put((function, argument, answer))
            return answer.result()
        """,
        wrap=f"{call}(CALL)",
    )


@noise
def thread_pool(g):
    pool = g.name("{}_pool")
    return g.noise(
        f"""
        import concurrent.futures
        {pool} = concurrent.futures.ThreadPoolExecutor({g.rng.randint(1, 4)})
        """,
        wrap=f"{pool}.submit(CALL).result()",
    )


@noise
def own_context(g):
    return g.noise("import contextvars\n", wrap="contextvars.copy_context().run(CALL)")


@noise
def warm_up_garbage(g):
    """Thousands of objects in the first runs, dropped later."""
    kept = g.name("{}_primed")
    return g.noise(f"""
        {kept} = []
        def {g.step}(i):
            if i < 2:
                {kept}.extend([str(n), {{"n": n}}] for n in range(2000))
            if i == 3:
                {kept}.clear()
        """)


@noise
def logging_noise(g):
    log = g.name("{}_log")
    return g.noise(
        f"""
        import io, logging
        {log} = logging.getLogger("svc.{log}")
        {log}.propagate = False
        {log}.addHandler(logging.StreamHandler(io.StringIO()))
        {log}.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        def {g.step}(i):
            {log}.warning("run %d", i)
            {log}.handlers[0].stream.seek(0)
            {log}.handlers[0].stream.truncate()
        """,
        is_global=True,
    )


@noise
def ticking_thread(g):
    """A thread that makes and forgets."""
    tick, state = g.name("tick_{}"), g.name("{}_state")
    return g.noise(f"""
        import threading, time
        {state} = {{"last": None}}
        def {tick}():
            n = 0
            while True:
                time.sleep({g.rng.choice((0.02, 0.1))})
                n += 1
                {state}["last"] = [n, {{"sample": str(n)}}]
        threading.Thread(target={tick}, daemon=True).start()
        """)


@noise
def slow_runs(g):
    """A run takes some hundredths of a second: what goes on beside it gets its turn."""
    return g.noise(f"""
        import time
        def {g.step}(i):
            time.sleep({g.rng.choice((0.02, 0.05))})
        """)


@noise
def slow_async_runs(g):
    return g.noise(f"""
        import asyncio
        async def {g.step}(i):
            await asyncio.sleep({g.rng.choice((0.02, 0.05))})
        """)
