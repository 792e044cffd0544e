"""Innocents: what was registered is taken back, what was patched is put back, what was begun ends."""

from ..registry import innocent


@innocent
def dispatch_by_known_classes(g):
    """A singledispatch function asked with the same few classes, one of them for the first time in run 6."""
    thing, render, seen = g.borrow(), g.name("render_{}"), g.name("{}_seen")
    return g.innocent(
        f"""
        import functools
        @functools.singledispatch
        def {render}(job, value):
            return value
        @{render}.register
        def {seen}(job: int, value):
            return value
        def {g.step}(i):
            for job in (1, "text", 1.5, *([b"bytes"] if i >= 6 else [])):
                {render}(job, {thing.new("i")})
        """,
        [render],
    )


@innocent
def sockets_unregistered(g):
    """A selector that is told when a connection is gone."""
    thing, selector = g.borrow(), g.name("{}_selector")
    return g.innocent(
        f"""
        import selectors, socket
        {selector} = selectors.DefaultSelector()
        def {g.step}(i):
            ours, theirs = socket.socketpair()
            {selector}.register(ours, selectors.EVENT_READ, {thing.new("i")})
            {selector}.unregister(ours)
            ours.close()
            theirs.close()
        """,
        [selector],
    )


@innocent
def scheduler_that_runs(g):
    """A sched.scheduler that runs what is due before the request ends."""
    thing, plan, remind = g.borrow(), g.name("{}_plan"), g.name("remind_{}")
    return g.innocent(
        f"""
        import sched
        {plan} = sched.scheduler()
        def {remind}(value):
            pass
        def {g.step}(i):
            {plan}.enter(0, 1, {remind}, ({thing.new("i")},))
            {plan}.run()
        """,
        [plan],
    )


@innocent
def tokens_used(g):
    """Each ContextVar.set is reset; the last token stays in a variable."""
    thing, var, last = g.borrow(), g.name("{}_var"), g.name("last_{}_token")
    return g.innocent(
        f"""
        import contextvars
        {var} = contextvars.ContextVar("{var}", default=None)
        {last} = None
        def {g.step}(i):
            global {last}
            {last} = {var}.set({thing.new("i")})
            {var}.reset({last})
        """,
        [var, last],
        keeps=2,
    )


@innocent
def errors_in_rings(g):
    """Errors that know the frame that knows them: only the collector frees them."""
    thing, kind, ask = g.borrow(), g.cls("Error"), g.name("ask_{}")
    return g.innocent(
        f"""
        class {kind}(Exception):
            pass
        def {ask}(value):
            try:
                raise {kind}("no answer")
            except {kind} as error:
                reason = error
            return reason
        def {g.step}(i):
            for k in range(3):
                {ask}({thing.new()})
        """,
        [kind],
        keeps=6,
    )


@innocent
def local_of_short_threads(g):
    """A threading.local that is filled by a thread for each request, and goes with it."""
    thing, local = g.borrow(), g.name("{}_local")
    return g.innocent(
        f"""
        import threading
        {local} = threading.local()
        def {g.step}(i):
            def work():
                {local}.cache = [{thing.new("i")}]
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        """,
        [local],
        keeps=1,
    )


@innocent
def patched_for_a_while(g):
    """A method is replaced for the time of a request, and put back."""
    thing, kind, method = g.borrow(), g.cls("Service"), g.name("fetch_{}")
    return g.innocent(
        f"""
        import unittest.mock
        class {kind}:
            def {method}(self):
                return None
        def {g.step}(i):
            with unittest.mock.patch.object({kind}, "{method}", lambda self, value={thing.new("i")}: value):
                {kind}().{method}()
        """,
        [kind, method],
    )


@innocent
def children_waited_for(g):
    """A child now and then, waited for; by its path, as a search for it makes `warnings` forget what it gave."""
    return g.innocent(
        f"""
        import subprocess
        def {g.step}(i):
            if i % 5 == 0:
                subprocess.run(["/bin/true"], check=True)
        """,
        [],
    )


@innocent
def mapped_for_a_while(g):
    """A mapped file and a view of it, both let go."""
    view = g.name("{}_view")
    return g.innocent(
        f"""
        import mmap
        def {g.step}(i):
            {view} = mmap.mmap(-1, 8192)
            with memoryview({view})[:16] as part:
                bytes(part)
            {view}.close()
        """,
        [view],
    )


@innocent
def collector_reminded(g):
    """A callback of an object that waits for another one, both of which go: a weak reference, and its callback."""
    thing, waiting, forget = g.borrow(), g.name("{}_waiting"), g.name("forget_{}")
    return g.innocent(
        f"""
        import weakref
        {waiting} = set()
        def {forget}(reference):
            {waiting}.discard(reference)
        def {g.step}(i):
            for k in range(2):
                owner = type("Owner", (), {{}})()
                owner.value = {thing.new("i")}
                {waiting}.add(weakref.ref(owner, {forget}))
                del owner
        """,
        [waiting],
        keeps=2,
    )
