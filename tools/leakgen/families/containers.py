"""Leaks in plain containers and in what holds them."""

from ..registry import leak


@leak
def dict_registry(g):
    """A dict by a fresh key that nobody removes."""
    thing, table = g.thing(), g.name("{}s")
    return g.leak(
        f"""
        {table} = {{}}
        def {g.step}(i):
            for k in {g.each}:
                {table}[i * 100 + k] = {thing.new()}
        """,
        thing,
        [table],
        f"{table}.clear()",
    )


@leak
def list_log(g):
    thing, log = g.thing(), g.name("{}_log")
    return g.leak(
        f"""
        {log} = []
        def {g.step}(i):
            for k in {g.each}:
                {log}.append({thing.new()})
        """,
        thing,
        [log],
        f"{log}.clear()",
    )


@leak
def set_members(g):
    thing, seen = g.thing(bare=True), g.name("seen_{}s")
    return g.leak(
        f"""
        {seen} = set()
        def {g.step}(i):
            for k in {g.each}:
                {seen}.add({thing.new()})
        """,
        thing,
        [seen],
        f"{seen}.clear()",
    )


@leak
def grouped(g):
    """A defaultdict of lists: finitely many keys, endless values."""
    thing, table = g.thing(), g.name("{}s_by_region")
    return g.leak(
        f"""
        import collections
        {table} = collections.defaultdict(list)
        def {g.step}(i):
            for k in {g.each}:
                {table}["region%d" % ((i + k) % 3)].append({thing.new()})
        """,
        thing,
        [table],
        f"{table}.clear()",
    )


@leak
def nested_by_tenant(g):
    """dict of dicts keyed by (tenant, id): an attribute of a service."""
    thing, table, service, kind = g.thing(), g.name("_{}s"), g.name("{}_service"), g.cls("Service")
    return g.leak(
        f"""
        class {kind}:
            def __init__(self):
                self.{table} = {{"acme": {{}}, "globex": {{}}}}
            def add(self, tenant, number, value):
                self.{table}[tenant][tenant, number] = value
        {service} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {service}.add(("acme", "globex")[(i + k) % 2], i * 100 + k, {thing.new()})
        """,
        thing,
        [table],
        f"for t in {service}.{table}.values(): t.clear()",
    )


@leak
def thread_queue(g):
    """queue.Queue that is filled and never read."""
    thing, waiting = g.thing(), g.name("{}_queue")
    return g.leak(
        f"""
        import queue
        {waiting} = queue.Queue()
        def {g.step}(i):
            for k in {g.each}:
                {waiting}.put({thing.new()})
        """,
        thing,
        [[waiting, r"\bQueue\.queue\b"]],
        f"{waiting}.queue.clear()",
    )


@leak
def backlog(g):
    thing, waiting = g.thing(), g.name("{}_backlog")
    return g.leak(
        f"""
        import collections
        {waiting} = collections.deque()
        def {g.step}(i):
            for k in {g.each}:
                {waiting}.append({thing.new()})
            if len({waiting}) > 100000:
                {waiting}.popleft()
        """,
        thing,
        [waiting],
        f"{waiting}.clear()",
    )


@leak
def class_attribute(g):
    """A mutable class attribute, taken for one of the instance."""
    thing, kind, items = g.thing(), g.cls("Page"), g.name("{}s")
    return g.leak(
        f"""
        class {kind}:
            {items} = []
            def add(self, value):
                self.{items}.append(value)
        def {g.step}(i):
            page = {kind}()
            for k in {g.each}:
                page.add({thing.new()})
        """,
        thing,
        [items],
        f"{kind}.{items}.clear()",
    )


@leak
def service_attribute(g):
    thing, kind, service, runs = g.thing(), g.cls("Service"), g.name("{}_service"), g.name("_{}s")
    return g.leak(
        f"""
        class {kind}:
            def __init__(self):
                self.{runs} = {{}}
                self.done = 0
            def run(self, key, value):
                self.{runs}[key] = value
                self.done += 1
        {service} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {service}.run(f"run-{{i}}-{{k}}", {thing.new()})
        """,
        thing,
        [runs],
        f"{service}.{runs}.clear()",
    )


@leak
def function_default(g):
    thing, remember = g.thing(), g.name("remember_{}")
    return g.leak(
        f"""
        def {remember}(value, memory=[]):
            memory.append(value)
            return len(memory)
        def {g.step}(i):
            for k in {g.each}:
                {remember}({thing.new()})
        """,
        thing,
        [remember],
        f"{remember}.__defaults__[0].clear()",
    )


@leak
def function_attribute(g):
    thing, call, calls = g.thing(), g.name("call_{}"), g.name("{}_calls")
    return g.leak(
        f"""
        def {call}(value):
            {call}.{calls}.append(value)
        {call}.{calls} = []
        def {g.step}(i):
            for k in {g.each}:
                {call}({thing.new()})
        """,
        thing,
        [calls],
        f"{call}.{calls}.clear()",
    )


@leak
def behind_proxy(g):
    """The holder has __slots__ and is reached through a proxy with __getattr__."""
    thing, store, proxy, items, front = (
        g.thing(),
        g.cls("Store"),
        g.cls("Proxy"),
        g.name("{}s"),
        g.name("{}_store"),
    )
    return g.leak(
        f"""
        class {store}:
            __slots__ = ("{items}", "name")
            def __init__(self):
                self.{items}, self.name = {{}}, "store"
        class {proxy}:
            __slots__ = ("_wrapped",)
            def __init__(self, wrapped):
                object.__setattr__(self, "_wrapped", wrapped)
            def __getattr__(self, name):
                return getattr(self._wrapped, name)
        {front} = {proxy}({store}())
        def {g.step}(i):
            for k in {g.each}:
                {front}.{items}[i * 100 + k] = {thing.new()}
        """,
        thing,
        [items],
        f"{front}.{items}.clear()",
    )


@leak
def ring(g):
    """Rings of three, each held from outside by one of its members."""
    thing, node, heads = g.thing(bare=True), g.cls("Node"), g.name("{}_heads")
    return g.leak(
        f"""
        class {node}:
            def __init__(self, value):
                self.value, self.next = value, None
        {heads} = []
        def {g.step}(i):
            for k in {g.each}:
                a, b, c = ({node}({thing.new()}) for _ in range(3))
                a.next, b.next, c.next = b, c, a
                {heads}.append(b)
        """,
        {thing.name: 3, node: 3},
        [heads],
        f"{heads}.clear()",
    )


@leak
def two_holders(g):
    """Both must go: a table and a list of listeners."""
    thing, table, listeners = g.thing(bare=True), g.name("{}s"), g.name("{}_listeners")
    return g.leak(
        f"""
        {table}, {listeners} = {{}}, []
        def {g.step}(i):
            for k in {g.each}:
                made = {thing.new()}
                {table}[f"id-{{i}}-{{k}}"] = made
                {listeners}.append(lambda made=made: made.key)
        """,
        thing,
        [table, listeners],
        f"{table}.clear(); {listeners}.clear()",
    )


@leak
def refreshed_table(g):
    """A table that grows, whose entries a thread makes anew ten times a second."""
    thing, table, refresh = g.thing(bare=True), g.name("{}s"), g.name("refresh_{}s")
    return g.leak(
        f"""
        import threading, time
        {table} = {{}}
        def {refresh}():
            while True:
                time.sleep(0.1)
                for key in list({table}):
                    {table}[key] = {thing.new("key")}
        threading.Thread(target={refresh}, daemon=True).start()
        def {g.step}(i):
            for k in {g.each}:
                {table}[f"id-{{i}}-{{k}}"] = {thing.new()}
        """,
        thing,
        [table],
        f"{table}.clear()",
        slack=2,
    )
