"""Leaks through what the interpreter or the library keeps."""

from ..registry import leak


@leak
def exit_handlers(g):
    """atexit.register for each request."""
    thing, close = g.thing(bare=True), g.name("close_{}")
    return g.leak(
        f"""
        import atexit
        def {close}(value):
            pass
        def {g.step}(i):
            for k in {g.each}:
                atexit.register({close}, {thing.new()})
        """,
        thing,
        [[r"atexit"]],
        f"atexit.unregister({close})",
        is_global=True,
    )


@leak
def log_filters(g):
    """A filter added to a logger and never taken away."""
    thing, name = g.thing(bare=True), g.name("{}log")
    return g.leak(
        f"""
        import logging
        {name} = logging.getLogger("app.{name}")
        class {thing.name}Filter(logging.Filter):
            def __init__(self, value):
                super().__init__()
                self.value = value
        def {g.step}(i):
            for k in {g.each}:
                {name}.addFilter({thing.name}Filter({thing.new()}))
        """,
        {thing.name: 1, thing.name + "Filter": 1},
        [[r"\.filters\b"]],
        f"{name}.filters.clear()",
        is_global=True,
    )


@leak
def loggers_by_id(g):
    """logging.getLogger with a fresh name for each job."""
    name = g.name()
    return g.leak(
        f"""
        import logging
        def {g.step}(i):
            for k in {g.each}:
                logging.getLogger(f"{name}-{{i}}-{{k}}").debug("started")
        """,
        {"Logger": 1},
        [[r"loggerDict", r"\bManager\b"]],
        f"for n in [n for n in logging.root.manager.loggerDict if n.startswith('{name}-')]: "
        "del logging.root.manager.loggerDict[n]",
        probe=f"sum(n.startswith('{name}-') for n in logging.root.manager.loggerDict)",
        is_global=True,
    )


@leak
def warnings_registry(g):
    """A warning with a fresh text in each run: __warningregistry__ remembers every text."""
    text = g.name()
    return g.leak(
        f"""
        import warnings
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda *args, **more: None
        def {g.step}(i):
            for k in {g.each}:
                warnings.warn(f"{text} {{i}} {{k}} is late")
        """,
        {"tuple": 1, "str": 1},
        [[r"__warningregistry__"]],
        "__warningregistry__.clear()",
        probe=f"sum('{text}' in str(k) for k in globals().get('__warningregistry__', ()))",
        is_global=True,
    )


@leak
def bound_listeners(g):
    """Bound methods on an emitter that outlives the sessions."""
    thing, bus, kind, handlers = g.thing(bare=True), g.name("{}_bus"), g.cls("Session"), g.name("{}_handlers")
    return g.leak(
        f"""
        class {kind}Bus:
            def __init__(self):
                self.{handlers} = {{"message": [], "error": []}}
            def on(self, event, handler):
                self.{handlers}[event].append(handler)
        {bus} = {kind}Bus()
        class {kind}:
            def __init__(self, value):
                self.value = value
                {bus}.on("message", self.on_message)
            def on_message(self, message):
                pass
        def {g.step}(i):
            for k in {g.each}:
                {kind}({thing.new()})
        """,
        {thing.name: 1, kind: 1, "method": 1},
        [handlers],
        f"{bus}.{handlers}['message'].clear()",
    )


@leak
def context_value(g):
    """A context variable whose value grows: a tuple, longer by one each time, in the main context."""
    thing, var = g.thing(bare=True), g.name("{}_trail")
    return g.leak(
        f"""
        import contextvars
        {var} = contextvars.ContextVar("{var}", default=())
        def {g.step}(i):
            for k in {g.each}:
                {var}.set({var}.get() + ({thing.new()},))
        """,
        thing,
        [var],
        f"{var}.set(())",
        main_only=True,
        is_global=True,
    )


@leak
def weakref_callbacks(g):
    """Weak references to a long-lived object, kept for their callbacks."""
    thing, owner, watchers = g.thing(bare=True), g.cls("Hub"), g.name("{}_watchers")
    return g.leak(
        f"""
        import weakref
        class {owner}:
            pass
        hub_of_{watchers} = {owner}()
        {watchers} = []
        def {g.step}(i):
            for k in {g.each}:
                {watchers}.append(weakref.ref(hub_of_{watchers}, lambda gone, value={thing.new()}: value))
        """,
        {thing.name: 1, "ReferenceType": 1, "function": 1},
        [watchers],
        f"{watchers}.clear()",
    )


@leak
def stored_later(g):
    """A thread stores the results, a little after the run that asked for them."""
    thing, results, asked, store = g.thing(), g.name("{}_results"), g.name("{}_asked"), g.name("store_{}")
    return g.leak(
        f"""
        import queue, threading, time
        {results}, {asked} = [], queue.SimpleQueue()
        def {store}():
            while True:
                k = {asked}.get()
                time.sleep({g.rng.choice((0.002, 0.01))})
                {results}.append({thing.new()})
        threading.Thread(target={store}, daemon=True).start()
        def {g.step}(i):
            for k in {g.each}:
                {asked}.put(k)
            time.sleep(0.02)
        """,
        thing,
        [results],
        f"{results}.clear()",
        slack=2,
    )


@leak
def stored_by_task(g):
    """A task of the loop stores the result some tenths of a second after the run."""
    thing, results, store = g.thing(), g.name("{}_results"), g.name("store_{}")
    return g.leak(
        f"""
        import asyncio
        {results} = {{}}
        async def {store}(key, k):
            await asyncio.sleep({g.rng.choice((0.05, 0.15))})
            {results}[key] = {thing.new()}
        async def {g.step}(i):
            for k in {g.each}:
                asyncio.create_task({store}((i, k), k))
            await asyncio.sleep(0.03)
        """,
        thing,
        [results],
        f"{results}.clear()",
        slack=2,
    )


@leak
def layered_classes(g):
    """An object that each request gives a class derived from the one it has."""
    thing, current = g.thing(bare=True), g.name("current_{}")
    base = f"{current.title().replace('_', '')}Base"
    return g.leak(
        f"""
        class {base}: pass
        {current} = {base}()
        def {g.step}(i):
            for k in {g.each}:
                {current}.__class__ = type("{base}Of", (type({current}),), {{"made": {thing.new()}}})
        """,
        thing,
        [[current + r"'?\.__class__"]],
        f"{current}.__class__ = {base}",
    )
