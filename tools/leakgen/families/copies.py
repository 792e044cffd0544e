"""State that is copied to be changed, and things of the interpreter's that are made for each request."""

from ..registry import innocent, leak


@leak
def immutable_history(g):
    """A tuple, a dict or a frozenset that each request replaces by a longer one."""
    thing, state = g.thing(bare=True), g.name("{}_state")
    empty, longer = g.rng.choice(
        (
            ("()", f"(*{state}, {thing.new()})"),
            ("{}", f"{{**{state}, (i, k): {thing.new()}}}"),
            ("frozenset()", f"{state} | {{{thing.new()}}}"),
            ("[]", f"{state} + [{thing.new()}]"),
        )
    )
    return g.leak(
        f"""
        {state} = {empty}
        def {g.step}(i):
            global {state}
            for k in {g.each}:
                {state} = {longer}
        """,
        thing,
        [state],
        f"{state} = {empty}",
    )


@leak
def nested_scopes(g):
    """A ChainMap that gets a child for each request, and never goes back to its parent."""
    thing, kind, scope, service = g.thing(bare=True), g.cls("Engine"), g.name("{}_scope"), g.name("{}_engine")
    return g.leak(
        f"""
        import collections
        class {kind}:
            def __init__(self):
                self.{scope} = collections.ChainMap()
        {service} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {service}.{scope} = {service}.{scope}.new_child({{"request": {thing.new()}}})
        """,
        {thing.name: 1, "dict": 1},
        [scope],
        f"{service}.{scope} = None",
    )


@leak
def user_dict(g):
    """A registry that is a UserDict."""
    thing, kind, registry = g.thing(), g.cls("Registry"), g.name("{}_registry")
    return g.leak(
        f"""
        import collections
        class {kind}(collections.UserDict):
            pass
        {registry} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {registry}[f"key-{{i}}-{{k}}"] = {thing.new()}
        """,
        thing,
        [[rf"(?<!\w){registry}(?!\w)", rf"(?<!\w){kind}(?!\w)"]],
        f"{registry}.clear()",
    )


@leak
def seen_ids(g):
    """A set of the numbers of all requests."""
    seen = g.name("{}_seen")
    return g.leak(
        f"""
        {seen} = set()
        def {g.step}(i):
            for k in {g.each}:
                {seen}.add(10_000_000 + 100 * i + k)
        """,
        {"int": 1},
        [seen],
        f"{seen}.clear()",
        probe=f"len({seen})",
    )


@leak
def search_paths(g):
    """A folder of plugins is put on sys.path by each request."""
    name = g.name()
    return g.leak(
        f"""
        import sys
        def {g.step}(i):
            for k in {g.each}:
                sys.path.append(f"/nowhere/{name}/{{i}}/{{k}}")
        """,
        {"str": 1},
        [[r"\bsys\.path\b"]],
        f"sys.path[:] = [each for each in sys.path if '/{name}/' not in each]",
        probe=f"sum('/{name}/' in each for each in sys.path)",
        is_global=True,
    )


@leak
def loops_kept(g):
    """An event loop for each job, kept and never closed."""
    loops = g.name("{}_loops")
    return g.leak(
        f"""
        import asyncio
        {loops} = []
        def {g.step}(i):
            for k in {g.each}:
                {loops}.append(asyncio.new_event_loop())
        """,
        {"_UnixSelectorEventLoop": 1, "EpollSelector": 1, "socket": 2},
        [loops],
        f"[loop.close() for loop in {loops}] ;; {loops}.clear()",
        probe=f"len({loops})",
    )


@leak
def databases_kept(g):
    """A database in memory for each tenant, kept under its name."""
    databases = g.name("{}_databases")
    return g.leak(
        f"""
        import sqlite3
        {databases} = {{}}
        def {g.step}(i):
            for k in {g.each}:
                database = {databases}[f"tenant-{{i}}-{{k}}"] = sqlite3.connect(":memory:", check_same_thread=False)
                database.execute("create table rows (name text)")
        """,
        {"Connection": 1, "str": 1},
        [databases],
        f"{databases}.clear()",
        probe=f"len({databases})",
    )


@leak
def recorded_calls(g):
    """A mock in the place of a client: it remembers every call, and what it was given."""
    thing, mock = g.thing(bare=True), g.name("{}_mock")
    return g.leak(
        f"""
        import unittest.mock
        {mock} = unittest.mock.Mock(return_value=None)
        def {g.step}(i):
            for k in {g.each}:
                {mock}({thing.new()})
        """,
        thing,
        [["call_args_list"], ["mock_calls"]],
        f"{mock}.reset_mock()",
        alternatives=[[mock]],
    )


@innocent
def replaced_state(g):
    """A dict that each request replaces by a copy with another last one."""
    thing, state = g.borrow(), g.name("{}_state")
    return g.innocent(
        f"""
        {state} = {{"version": 1}}
        def {g.step}(i):
            global {state}
            {state} = {{**{state}, "last": {thing.new("i")}}}
        """,
        [state],
        keeps=1,
    )


@innocent
def tuple_window(g):
    """The last few, in a tuple that is made anew."""
    thing, recent = g.borrow(), g.name("{}_recent")
    n = g.rng.randint(3, 6)
    return g.innocent(
        f"""
        {recent} = ()
        def {g.step}(i):
            global {recent}
            {recent} = (*{recent}[-{n}:], {thing.new("i")})
        """,
        [recent],
        keeps=n + 1,
    )


@innocent
def retried_jobs(g):
    """Jobs that fail are put back, with a fresh wrapper; their number stays."""
    thing, jobs = g.borrow(), g.name("{}_jobs")
    return g.innocent(
        f"""
        import collections
        {jobs} = collections.deque()
        def {g.step}(i):
            if not {jobs}:
                {jobs}.extend({thing.new()} for k in range(4))
            for k in range(3):
                {jobs}.popleft()
                {jobs}.append({thing.new()})
        """,
        [jobs],
        keeps=4,
    )


@innocent
def loop_per_job(g):
    """An event loop for each job, closed in the end."""
    return g.innocent(
        f"""
        import asyncio
        def {g.step}(i):
            loop = asyncio.new_event_loop()
            loop.call_soon(print, "")
            loop.close()
        """
    )


@innocent
def swapped_buffers(g):
    """Two buffers, one of which is filled while the other is written away."""
    thing, front, back = g.borrow(), g.name("{}_front"), g.name("{}_back")
    return g.innocent(
        f"""
        {front}, {back} = [], []
        def {g.step}(i):
            global {front}, {back}
            for k in range(3):
                {front}.append({thing.new()})
            {front}, {back} = {back}, {front}
            {front}.clear()
        """,
        [front, back],
        keeps=6,
    )
