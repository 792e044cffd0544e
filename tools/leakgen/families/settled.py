"""Innocents of services: what is bounded, taken away, swapped, collected, or made once."""

from ..registry import innocent


@innocent
def drop_oldest_queue(g):
    """A bounded queue whose producer drops the oldest when it is full."""
    thing, inbox = g.borrow(), g.name("{}_inbox")
    n = g.rng.randint(4, 7)
    return g.innocent(
        f"""
        import queue
        {inbox} = queue.Queue(maxsize={n})
        def {g.step}(i):
            for k in range(2):
                if {inbox}.full():
                    {inbox}.get_nowait()
                {inbox}.put_nowait({thing.new()})
        """,
        [inbox],
        keeps=n,
    )


@innocent
def two_generations(g):
    """A cache of two dicts: every third run the young one becomes the old one."""
    thing, young, old = g.borrow(), g.name("{}_young"), g.name("{}_old")
    return g.innocent(
        f"""
        {young}, {old} = {{}}, {{}}
        def {g.step}(i):
            global {young}, {old}
            if i % 3 == 0:
                {young}, {old} = {{}}, {young}
            {young}[i] = {thing.new("i")}
        """,
        [young, old],
        keeps=6,
        undecidable=True,
    )


@innocent
def last_ten(g):
    """Sessions by id, the oldest taken away when there are more than ten."""
    thing, sessions = g.borrow(), g.name("{}_sessions")
    return g.innocent(
        f"""
        {sessions} = {{}}
        def {g.step}(i):
            {sessions}[f"session-{{i}}"] = {thing.new("i")}
            if len({sessions}) > 10:
                del {sessions}[next(iter({sessions}))]
        """,
        [sessions],
        keeps=10,
    )


@innocent
def patterns(g):
    """Regular expressions with fresh texts: `re` keeps a bounded number of them."""
    name = g.name()
    return g.innocent(
        f"""
        import re
        def {g.step}(i):
            for k in range(6):
                re.compile(f"{name}-{{i}}-{{k}}").match("x")
        """
    )


@innocent
def once(g):
    """Settings that are made when they are asked for, in run 5, and never again."""
    thing, settings = g.borrow(), g.name("{}_settings")
    return g.innocent(
        f"""
        import functools
        @functools.cache
        def {settings}():
            return {thing.new("0")}
        def {g.step}(i):
            if i >= 5:
                {settings}()
        """,
        [settings],
        keeps=1,
    )


@innocent
def same_warning(g):
    """A warning with the same text in each run: `__warningregistry__` knows it."""
    text = g.name()
    return g.innocent(
        f"""
        import warnings
        def {g.step}(i):
            warnings.warn("{text} is late", DeprecationWarning)
        """
    )


@innocent
def request_handler(g):
    """A handler is added for each request, and taken away when it ends."""
    thing, log = g.borrow(), g.name("{}_log")
    return g.innocent(
        f"""
        import logging
        {log} = logging.getLogger("app.{log}")
        {log}.propagate = False
        class {log.title().replace("_", "")}Handler(logging.Handler):
            def emit(self, record):
                self.last = record
        def {g.step}(i):
            handler = {log.title().replace("_", "")}Handler()
            handler.request = {thing.new("i")}
            {log}.addHandler(handler)
            try:
                {log}.warning("run %d", i)
            finally:
                {log}.removeHandler(handler)
        """,
        [log],
    )


@innocent
def abandoned_iteration(g):
    """An async generator is left in the middle: the loop closes it."""
    thing, answer = g.borrow(), g.name("answer_{}")
    return g.innocent(
        f"""
        async def {answer}(i):
            model = {thing.new("i")}
            try:
                for n in range(5):
                    yield n
            finally:
                model = None
        async def {g.step}(i):
            async for n in {answer}(i):
                if n == 2:
                    break
        """,
        [answer],
    )


@innocent
def finalizers_that_run(g):
    """Each request has a finalizer, and dies in its run."""
    thing, kind, closed = g.borrow(), g.cls("Request"), g.name("closed_{}")
    return g.innocent(
        f"""
        import weakref
        class {kind}:
            pass
        def {closed}(value):
            pass
        def {g.step}(i):
            for k in range(3):
                request = {kind}()
                weakref.finalize(request, {closed}, {thing.new()})
        """,
        [kind, closed],
    )


@innocent
def connection_pool(g):
    """Connections go back to the pool; every seventh breaks and is replaced."""
    thing, pool, use = g.borrow(), g.name("{}_pool"), g.name("use_{}")
    return g.innocent(
        f"""
        import contextlib
        {pool} = []
        @contextlib.contextmanager
        def {use}(i):
            connection = {pool}.pop() if {pool} else {thing.new("i")}
            try:
                yield connection
            finally:
                if i % 7:
                    {pool}.append(connection)
        def {g.step}(i):
            with {use}(i), {use}(i + 1), {use}(i + 2):
                pass
        """,
        [pool, use],
        keeps=4,
    )


@innocent
def stack_per_request(g):
    """An ExitStack and a context variable for each request, both put back."""
    thing, var, close = g.borrow(), g.name("{}_request"), g.name("close_{}")
    return g.innocent(
        f"""
        import contextlib, contextvars
        {var} = contextvars.ContextVar("{var}")
        def {close}(value):
            pass
        def {g.step}(i):
            with contextlib.ExitStack() as stack:
                made = {thing.new("i")}
                stack.callback({close}, made)
                stack.callback({var}.reset, {var}.set(made))
        """,
        [var, close],
    )


@innocent
def classes_that_go(g):
    """A class for each request, asked by an abstract one: it is garbage, and the caches know it weakly."""
    base, name = g.cls("Port"), g.cls("Reply")
    return g.innocent(
        f"""
        import abc
        class {base}(abc.ABC):
            pass
        def {g.step}(i):
            for k in range(2):
                assert not isinstance(type("{name}", (), {{}})(), {base})
        """,
        [base, name],
    )
