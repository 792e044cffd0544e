"""What grows for a while, is replaced, or goes by itself."""

from ..registry import innocent


@innocent
def lru_full(g):
    thing, load = g.borrow(), g.name("load_{}")
    return g.innocent(
        f"""
        import functools
        @functools.lru_cache(maxsize=8)
        def {load}(key):
            return {thing.new("key")}
        def {g.step}(i):
            for k in range(3):
                {load}((i, k))
        """,
        [load],
        keeps=8,
    )


@innocent
def lru_filling(g):
    thing, load = g.borrow(), g.name("load_{}")
    return g.innocent(
        f"""
        import functools
        @functools.lru_cache(maxsize=90)
        def {load}(key):
            return {thing.new("key")}
        def {g.step}(i):
            {load}(i)
        """,
        [load],
        keeps=90,
    )


@innocent
def lru_dict(g):
    thing, recent = g.borrow(), g.name("recent_{}s")
    n = g.rng.randint(4, 9)
    return g.innocent(
        f"""
        import collections
        {recent} = collections.OrderedDict()
        def {g.step}(i):
            {recent}[f"key-{{i}}"] = {thing.new("i")}
            while len({recent}) > {n}:
                {recent}.popitem(last=False)
        """,
        [recent],
        keeps=n,
    )


@innocent
def ttl_cache(g):
    """Entries expire after a few runs."""
    thing, cache = g.borrow(), g.name("cached_{}s")
    return g.innocent(
        f"""
        {cache} = {{}}
        def {g.step}(i):
            for key in [key for key, (until, _) in {cache}.items() if until <= i]:
                del {cache}[key]
            for k in range(2):
                {cache}[f"key-{{i}}-{{k}}"] = (i + 4, {thing.new()})
        """,
        [cache],
        keeps=8,
    )


@innocent
def bounded_deque(g):
    thing, last = g.borrow(), g.name("last_{}s")
    return g.innocent(
        f"""
        import collections
        {last} = collections.deque(maxlen={g.rng.choice((5, 12, 90))})
        def {g.step}(i):
            {last}.append({thing.new("i")})
        """,
        [last],
        keeps=90,
    )


@innocent
def pool_with_replacement(g):
    thing, pool = g.borrow(), g.name("{}_pool")
    return g.innocent(
        f"""
        {pool} = [None] * 4
        def {g.step}(i):
            {pool}[i % 4] = {thing.new("i")}
        """,
        [pool],
        keeps=4,
    )


@innocent
def remade_entries(g):
    """A thread makes the entries of a small table anew."""
    thing, table, refresh = g.borrow(), g.name("{}_rates"), g.name("refresh_{}")
    return g.innocent(
        f"""
        import threading, time
        {table} = dict.fromkeys(range(12))
        def {refresh}():
            while True:
                for key in {table}:
                    {table}[key] = {thing.new("key")}
                time.sleep(0.05)
        threading.Thread(target={refresh}, daemon=True).start()
        def {g.step}(i):
            return {table}[i % 12]
        """,
        [table, refresh],
        keeps=13,
    )


@innocent
def poller(g):
    """A timer of the loop that arms itself again."""
    thing, poll, state = g.borrow(), g.name("poll_{}"), g.name("{}_state")
    return g.innocent(
        f"""
        import asyncio
        {state} = {{}}
        def {poll}(loop, n):
            {state}["last"] = {thing.new("n")}
            loop.call_later({g.rng.choice((0.01, 0.05, 0.2))}, {poll}, loop, n + 1)
        async def {g.step}(i):
            if not {state}:
                {poll}(asyncio.get_running_loop(), 0)
            await asyncio.sleep(0)
        """,
        [poll, state],
        keeps=2,
    )


@innocent
def last_item(g):
    """Workers whose loop variable keeps the last item."""
    thing, work, jobs = g.borrow(), g.name("work_{}"), g.name("{}_jobs")
    return g.innocent(
        f"""
        import queue, threading
        {jobs} = queue.Queue()
        def {work}():
            while True:
                job = {jobs}.get()
                {jobs}.task_done()
        for _ in range(2):
            threading.Thread(target={work}, daemon=True).start()
        def {g.step}(i):
            for k in range(3):
                {jobs}.put({thing.new()})
            {jobs}.join()
        """,
        [work, jobs],
        keeps=2,
    )


@innocent
def lazy_imports(g):
    """Modules imported in the first runs, and one in run 7, in a thread."""
    first, late = g.rng.sample(
        [
            "xml.dom.minidom",
            "wave",
            "mailbox",
            "plistlib",
            "tarfile",
            "zipapp",
            "sqlite3",
            "difflib",
            "colorsys",
            "imaplib",
            "pydoc",
            "decimal",
            "csv",
            "unittest.mock",
        ],
        2,
    )
    return g.innocent(f"""
        import importlib, threading
        def {g.step}(i):
            if i == 1:
                importlib.import_module("{first}")
            if i == 7:
                loader = threading.Thread(target=importlib.import_module, args=("{late}",))
                loader.start()
                loader.join()
        """)


@innocent
def cyclic_garbage(g):
    thing = g.borrow()
    return g.innocent(f"""
        def {g.step}(i):
            for k in range(5):
                made = {thing.new()}
                pair = [made]
                made.body = pair
                pair.append(pair)
        """)


@innocent
def draining_tasks(g):
    """Tasks that live for a few tenths of a second after the run."""
    thing, later = g.borrow(), g.name("later_{}")
    return g.innocent(
        f"""
        import asyncio
        async def {later}(value):
            await asyncio.sleep({g.rng.choice((0.05, 0.2, 0.5))})
            return value
        async def {g.step}(i):
            asyncio.create_task({later}({thing.new("i")}))
            await asyncio.sleep(0)
        """,
        [later],
        keeps=60,
    )


@innocent
def cancelled_timers(g):
    """Timers that are cancelled and stay in the loop's heap until it cleans up."""
    thing, expire = g.borrow(), g.name("expire_{}")
    return g.innocent(
        f"""
        import asyncio
        def {expire}(value):
            pass
        async def {g.step}(i):
            for k in range(4):
                asyncio.get_running_loop().call_later(60, {expire}, {thing.new()}).cancel()
        """,
        [expire],
    )


@innocent
def finite_labels(g):
    """Metrics by label: all of them seen after a dozen runs."""
    counts, kind = g.name("{}_counts"), g.cls("Counter")
    n = g.rng.randint(6, 12)
    return g.innocent(
        f"""
        class {kind}:
            def __init__(self):
                self.value = 0
        {counts} = {{}}
        def {g.step}(i):
            {counts}.setdefault(f"label-{{i % {n}}}", {kind}()).value += 1
        """,
        [counts, kind],
    )


@innocent
def periodic_flush(g):
    """A buffer that is written away every sixth run."""
    thing, buffer = g.borrow(), g.name("{}_buffer")
    return g.innocent(
        f"""
        {buffer} = []
        def {g.step}(i):
            for k in range(2):
                {buffer}.append({thing.new()})
            if i % {g.rng.randint(4, 8)} == 0:
                {buffer}.clear()
        """,
        [buffer],
        keeps=16,
        undecidable=True,
    )


@innocent
def pool_that_ramps_up(g):
    """Connections are opened until there are enough."""
    thing, pool = g.borrow(), g.name("{}_connections")
    n = g.rng.randint(3, 8)
    return g.innocent(
        f"""
        {pool} = []
        def {g.step}(i):
            if len({pool}) < {n}:
                {pool}.append({thing.new("i")})
        """,
        [pool],
        keeps=n,
    )


@innocent
def weak_cache(g):
    thing, cache = g.borrow(), g.name("{}_cache")
    return g.innocent(
        f"""
        import weakref
        {cache} = weakref.WeakValueDictionary()
        def {g.step}(i):
            for k in range(3):
                value = {cache}[f"key-{{i}}-{{k}}"] = {thing.new()}
        """,
        [cache],
    )


@innocent
def swapped_class(g):
    """One object that is given a class of its own again and again, the last one alone is alive."""
    thing, current = g.borrow(), g.name("current_{}")
    base = f"{current.title().replace('_', '')}Base"
    return g.innocent(
        f"""
        class {base}: pass
        {current} = {base}()
        def {g.step}(i):
            {current}.__class__ = type("{base}Of", ({base},), {{"made": {thing.new("i")}}})
        """,
        [current],
        keeps=1,
    )
