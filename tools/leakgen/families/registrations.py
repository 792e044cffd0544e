"""Leaks through what is registered, patched, wrapped or begun with each request and never taken back."""

from ..registry import leak


@leak
def dispatch_by_class(g):
    """A class for each job, registered with a functools.singledispatch function."""
    thing, render = g.thing(bare=True), g.name("render_{}")
    return g.leak(
        f"""
        import functools
        {render} = functools.singledispatch(lambda job: None)
        def {g.step}(i):
            for k in {g.each}:
                job = type("Job", (), {{}})
                {render}.register(job, lambda job, value={thing.new()}: value)
        """,
        {thing.name: 1, "type": 1, "function": 1},
        [[rf"(?<!\w){render}(?!\w)", r"'registry'", r"\bregistry\b"]],
        f"{render} = None",
    )


@leak
def hooks_of_a_client(g):
    """A shared HTTP client gets an event hook for each request, in two lists."""
    thing, kind, client = g.thing(bare=True), g.cls("Client"), g.name("{}_client")
    sent, received = g.name("{}_sent"), g.name("{}_received")
    both = r"\bevent_hooks\[\*\]\[\*\]"
    return g.leak(
        f"""
        class {kind}:
            def __init__(self):
                self.event_hooks = {{"{sent}": [], "{received}": []}}
        {client} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                value = {thing.new()}
                def log(event, value=value):
                    return value
                {client}.event_hooks["{sent}"].append(log)
                {client}.event_hooks["{received}"].append(log)
        """,
        {thing.name: 1, "function": 1},
        [[rf"(?<!\w){sent}(?!\w)", both], [rf"(?<!\w){received}(?!\w)", both]],
        f"{client}.event_hooks['{sent}'].clear() ;; {client}.event_hooks['{received}'].clear()",
        alternatives=[[client]],
    )


@leak
def sockets_registered(g):
    """A selector is told of each connection, and never that it is gone."""
    thing, selector = g.thing(bare=True), g.name("{}_selector")
    return g.leak(
        f"""
        import selectors, socket
        {selector} = selectors.DefaultSelector()
        def {g.step}(i):
            for k in {g.each}:
                ours, theirs = socket.socketpair()
                theirs.close()
                {selector}.register(ours, selectors.EVENT_READ, {thing.new()})
        """,
        {thing.name: 1, "SelectorKey": 1, "socket": 1},
        [[rf"(?<!\w){selector}(?!\w)", r"_fd_to_key"]],
        f"[{selector}.unregister(key.fileobj) for key in list({selector}.get_map().values())]",
    )


@leak
def reminders(g):
    """A sched.scheduler that is given a reminder for each request, a day ahead."""
    thing, plan, remind = g.thing(bare=True), g.name("{}_plan"), g.name("remind_{}")
    return g.leak(
        f"""
        import sched
        {plan} = sched.scheduler()
        def {remind}(value):
            pass
        def {g.step}(i):
            for k in {g.each}:
                {plan}.enter(86400, 1, {remind}, ({thing.new()},))
        """,
        {thing.name: 1, "Event": 1},
        [[rf"(?<!\w){plan}(?!\w)", r"\bscheduler\b.*_queue"]],
        f"[{plan}.cancel(event) for event in {plan}.queue]",
    )


@leak
def local_of_a_generator(g):
    """A collector that is a generator: what it was ever sent lies in a list of its own."""
    thing, collect, collector, seen = (
        g.thing(),
        g.name("collect_{}"),
        g.name("{}_collector"),
        g.name("{}_seen"),
    )
    return g.leak(
        f"""
        def {collect}():
            {seen} = []
            while True:
                {seen}.append((yield len({seen})))
        {collector} = {collect}()
        next({collector})
        def {g.step}(i):
            for k in {g.each}:
                {collector}.send({thing.new()})
        """,
        thing,
        [[rf"(?<!\w){seen}(?!\w)", rf"(?<!\w){collector}(?!\w)"]],
        f"{collector}.close()",
    )


@leak
def chained_errors(g):
    """The last error of a service, each of which was caused by the one before."""
    thing, kind, last = g.thing(bare=True), g.cls("Error"), g.name("last_{}")
    return g.leak(
        f"""
        class {kind}(Exception):
            pass
        {last} = None
        def {g.step}(i):
            global {last}
            for k in {g.each}:
                error = {kind}({thing.new()})
                error.__cause__ = {last}
                {last} = error
        """,
        {thing.name: 1, kind: 1},
        [last],
        f"{last} = None",
    )


@leak
def tokens_kept(g):
    """The token of each ContextVar.set is kept, for a reset that never comes: with it the value before."""
    thing, var, tokens = g.thing(bare=True), g.name("{}_var"), g.name("{}_tokens")
    return g.leak(
        f"""
        import contextvars
        {var} = contextvars.ContextVar("{var}", default=None)
        {tokens} = []
        def {g.step}(i):
            for k in {g.each}:
                {tokens}.append({var}.set({thing.new()}))
                {tokens}.append({var}.set(None))
        """,
        {thing.name: 1, "Token": 2},
        [tokens],
        f"{tokens}.clear()",
        main_only=True,
        # A context keeps the variables themselves for ever.
        is_global=True,
    )


@leak
def patched_again(g):
    """Each request traces a method that is traced already: a wrapper around a wrapper."""
    thing, kind, method, trace = g.thing(bare=True), g.cls("Service"), g.name("fetch_{}"), g.name("trace_{}")
    return g.leak(
        f"""
        import functools
        class {kind}:
            def {method}(self):
                return None
        def {trace}(function, value):
            @functools.wraps(function)
            def traced(self):
                return function(self) or value and None
            return traced
        def {g.step}(i):
            for k in {g.each}:
                {kind}.{method} = {trace}({kind}.{method}, {thing.new()})
        """,
        {thing.name: 1, "function": 1},
        [method],
        f"{kind}.{method} = None",
    )


@leak
def local_of_the_thread(g):
    """A cache in a threading.local of a thread that lives as long as the service."""
    thing, local, cache = g.thing(), g.name("{}_local"), g.name("{}_cache")
    return g.leak(
        f"""
        import threading
        {local} = threading.local()
        def {g.step}(i):
            if not hasattr({local}, "{cache}"):
                {local}.{cache} = {{}}
            for k in {g.each}:
                {local}.{cache}[i, k] = {thing.new()}
        """,
        thing,
        [cache],
        f"{local}.{cache}.clear()",
        main_only=True,
    )


@leak
def mapped_slices(g):
    """A slice of each mapped file is kept, and pins all of it."""
    parts = g.name("{}_parts")
    return g.leak(
        f"""
        import mmap
        {parts} = []
        def {g.step}(i):
            for k in {g.each}:
                {parts}.append(memoryview(mmap.mmap(-1, 8192))[:16])
        """,
        {"memoryview": 2, "mmap": 1},
        [parts],
        f"{parts}.clear()",
        probe=f"len({parts})",
    )


@leak
def native_callbacks(g):
    """A C callback for each request, kept that it may not die too early."""
    thing, kept = g.thing(bare=True), g.name("{}_callbacks")
    return g.leak(
        f"""
        import ctypes
        {kept} = []
        def {g.step}(i):
            for k in {g.each}:
                value = {thing.new()}
                {kept}.append(ctypes.CFUNCTYPE(ctypes.c_int)(lambda value=value: 0))
        """,
        {thing.name: 1, "CFunctionType": 1, "function": 1},
        [kept],
        f"{kept}.clear()",
    )


@leak
def codec_searchers(g):
    """codecs.register with each plugin that is loaded, and never the other way."""
    thing, searchers = g.thing(bare=True), g.name("search_{}")
    return g.leak(
        f"""
        import codecs
        def {g.step}(i):
            for k in {g.each}:
                def {searchers}(name, value={thing.new()}):
                    return None
                codecs.register({searchers})
        """,
        {thing.name: 1, "function": 1},
        [[r"codec"]],
        f"import gc ;; [codecs.unregister(f) for f in gc.get_objects() "
        f"if getattr(f, '__qualname__', '').endswith('{searchers}')]",
        is_global=True,
    )


@leak
def functions_of_a_database(g):
    """create_function under a fresh name with each query: SQLite holds them, where no walk can look."""
    thing, database = g.thing(bare=True), g.name("{}_database")
    return g.leak(
        f"""
        import sqlite3
        {database} = sqlite3.connect(":memory:", check_same_thread=False)
        def {g.step}(i):
            for k in {g.each}:
                {database}.create_function(f"rank_{{i}}_{{k}}", 1, lambda row, value={thing.new()}: 0)
        """,
        {thing.name: 1, "function": 1},
        [database],
        f"{database}.close()",
        by_threads=True,
    )


@leak
def children_not_waited_for(g):
    """A child for each request that nobody waits for: subprocess keeps what was dropped while it ran."""
    g.each = "range(1)"
    return g.leak(
        f"""
        import subprocess, warnings
        warnings.simplefilter("ignore", ResourceWarning)
        def {g.step}(i):
            subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        """,
        {"Popen": 1},
        [[r"\b_active\b"]],
        "import subprocess ;; [child.kill() or child.wait() for child in subprocess._active] ;; subprocess._cleanup()",
        probe="len(subprocess._active)",
        is_global=True,
    )
