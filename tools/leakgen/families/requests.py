"""Leaks around requests: pools by host, locks by key, finalizers, descriptors, schedulers, recorded calls."""

from ..registry import leak


@leak
def finalized_connections(g):
    """Connections with a finalizer that has a session to close: they are kept, so it never runs."""
    thing, conn, pool, close = g.thing(bare=True), g.cls("Conn"), g.name("{}_pool"), g.name("close_{}")
    return g.leak(
        f"""
        import weakref
        class {conn}:
            pass
        {pool} = []
        def {close}(session):
            pass
        def {g.step}(i):
            for k in {g.each}:
                made = {conn}()
                weakref.finalize(made, {close}, {thing.new()})
                {pool}.append(made)
        """,
        {thing.name: 1, conn: 1},
        [pool],
        f"{pool}.clear()",
    )


@leak
def cached_method(g):
    """functools.cache on a method: each client stays as a key of its class's cache."""
    thing, client, fetch = g.thing(bare=True), g.cls("Client"), g.name("fetch_{}")
    return g.leak(
        f"""
        import functools
        class {client}:
            def __init__(self, session):
                self.session = session
            @functools.cache
            def {fetch}(self, path):
                return path
        def {g.step}(i):
            for k in {g.each}:
                {client}({thing.new()}).{fetch}("/")
        """,
        {thing.name: 1, client: 1},
        [fetch],
        f"{client}.{fetch}.cache_clear()",
    )


@leak
def pools_by_host(g):
    """A pool of connections for each host that was ever asked, each with a bounded queue."""
    thing, manager, pools, kind = (
        g.thing(bare=True),
        g.name("{}_manager"),
        g.name("{}_pools"),
        g.cls("HostPool"),
    )
    return g.leak(
        f"""
        import queue
        class {kind}:
            def __init__(self, host, connection):
                self.host, self.idle = host, queue.LifoQueue(4)
                self.idle.put(connection)
        class {kind}Manager:
            def __init__(self):
                self.{pools} = {{}}
            def urlopen(self, host, connection):
                if host not in self.{pools}:
                    self.{pools}[host] = {kind}(host, connection)
                idle = self.{pools}[host].idle
                idle.put(idle.get())
        {manager} = {kind}Manager()
        def {g.step}(i):
            for k in {g.each}:
                {manager}.urlopen(f"host-{{i}}-{{k}}.example.com", {thing.new()})
        """,
        {thing.name: 1, kind: 1, "LifoQueue": 1},
        [pools],
        f"{manager}.{pools}.clear()",
    )


@leak
def descriptor_by_id(g):
    """A descriptor that keeps the values of each object under the object's id."""
    thing, descriptor, values, form = g.thing(), g.cls("Field"), g.name("{}_values"), g.cls("Form")
    return g.leak(
        f"""
        class {descriptor}:
            def __init__(self):
                self.{values} = {{}}
            def __get__(self, owner, kind=None):
                return self if owner is None else self.{values}.get(owner.number)
            def __set__(self, owner, value):
                self.{values}[owner.number] = value
        class {form}:
            field = {descriptor}()
            def __init__(self, number):
                self.number = number
        def {g.step}(i):
            for k in {g.each}:
                {form}((i, k)).field = {thing.new()}
        """,
        thing,
        [values],
        f"{form}.field.{values}.clear()",
    )


@leak
def attributes_by_user(g):
    """setattr on the service, a name for each user."""
    thing, kind, name, service = g.thing(), g.cls("Service"), g.name("{}_of"), g.name("{}_service")
    return g.leak(
        f"""
        class {kind}:
            pass
        {service} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                setattr({service}, f"{name}_{{i}}_{{k}}", {thing.new()})
        """,
        thing,
        [[rf"(?<!\w){name}_", rf"(?<!\w){kind}\.\*", rf"(?<!\w){service}\.\*"]],
        f"{service}.__dict__.clear()",
    )


@leak
def locks_by_key(g):
    """A lock for each conversation, so that its messages come in order; none is ever taken away."""
    locks, guard = g.name("{}_locks"), g.name("guard_{}")
    return g.leak(
        f"""
        import asyncio, collections
        {locks} = collections.defaultdict(asyncio.Lock)
        async def {guard}(key):
            async with {locks}[key]:
                await asyncio.sleep(0)
        async def {g.step}(i):
            for k in {g.each}:
                await {guard}(f"conversation-{{i}}-{{k}}")
        """,
        {"Lock": 1, "str": 1},
        [locks],
        f"{locks}.clear()",
        probe=f"len({locks})",
    )


@leak
def futures_kept(g):
    """Futures of a pool, gathered for a report that is never made."""
    thing, pool, futures, make = (
        g.thing(bare=True),
        g.name("{}_pool"),
        g.name("{}_futures"),
        g.name("make_{}"),
    )
    return g.leak(
        f"""
        import concurrent.futures
        {pool} = concurrent.futures.ThreadPoolExecutor(1)
        {futures} = []
        def {make}(k):
            return {thing.new()}
        def {g.step}(i):
            for k in {g.each}:
                {futures}.append({pool}.submit({make}, k))
            concurrent.futures.wait({futures})
        """,
        {thing.name: 1, "Future": 1},
        [futures],
        f"{futures}.clear()",
        slack=2,
    )


@leak
def scheduled_retries(g):
    """Retries in a heap, due in an hour, each with what is to be sent."""
    thing, kind, due, schedule = (
        g.thing(bare=True),
        g.cls("Scheduler"),
        g.name("{}_due"),
        g.name("{}_retries"),
    )
    return g.leak(
        f"""
        import heapq, itertools
        class {kind}:
            def __init__(self):
                self.{due}, self.order = [], itertools.count()
            def later(self, seconds, call):
                heapq.heappush(self.{due}, (seconds, next(self.order), call))
        {schedule} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {schedule}.later(3600 + i, lambda value={thing.new()}: value)
        """,
        {thing.name: 1, "function": 1, "tuple": 2},
        [due],
        f"{schedule}.{due}.clear()",
    )


@leak
def rings_by_session(g):
    """The last events of each session, in a bounded deque; the sessions have no bound."""
    thing, sessions = g.thing(), g.name("{}_sessions")
    return g.leak(
        f"""
        import collections
        {sessions} = {{}}
        def {g.step}(i):
            for k in {g.each}:
                ring = {sessions}[f"session-{{i}}-{{k}}"] = collections.deque(maxlen=1)
                for n in range(3):
                    ring.append({thing.new()})
        """,
        {**thing.types, "deque": 1},
        [sessions],
        f"{sessions}.clear()",
    )


@leak
def cache_per_tenant(g):
    """An lru_cache with a bound, made anew for each tenant, and each of them is kept."""
    thing, load, tenants = g.thing(), g.name("load_{}"), g.name("{}_tenants")
    return g.leak(
        f"""
        import functools
        {tenants} = []
        def {load}(key):
            return {thing.new("key")}
        def {g.step}(i):
            for k in {g.each}:
                cached = functools.lru_cache(maxsize=4)({load})
                cached((i, k))
                {tenants}.append(cached)
        """,
        {**thing.types, "_lru_cache_wrapper": 1},
        [tenants],
        f"{tenants}.clear()",
    )


@leak
def values_that_lead_to_their_key(g):
    """A table that is weak by key; each value knows its key, so no key ever dies."""
    thing, table, widget = g.thing(bare=True), g.name("{}_styles"), g.cls("Widget")
    return g.leak(
        f"""
        import weakref
        class {widget}:
            pass
        {table} = weakref.WeakKeyDictionary()
        def {g.step}(i):
            for k in {g.each}:
                made = {widget}()
                value = {table}[made] = {thing.new()}
                value.key = made
        """,
        {thing.name: 1, widget: 1},
        [table],
        f"{table}.clear()",
    )
