"""Leaks and innocents of streaming services and agents, as they are written."""

from ..registry import innocent, leak


@leak
def stream_subscribers(g):
    """A hub of event streams: each client gets a queue, and nobody takes it away when the client goes."""
    thing, hub, kind, subs = g.thing(bare=True), g.name("{}_hub"), g.cls("Hub"), g.name("{}_subscribers")
    return g.leak(
        f"""
        import asyncio
        class {kind}:
            def __init__(self):
                self.{subs} = {{}}
            async def listen(self, key, value):
                queue = self.{subs}[key] = asyncio.Queue()
                queue.put_nowait(value)
                yield "open"
                yield await queue.get()
        {hub} = {kind}()
        async def {g.step}(i):
            for k in {g.each}:
                stream = {hub}.listen((i, k), {thing.new()})
                await stream.__anext__()
                await stream.aclose()
        """,
        {thing.name: 1, "Queue": 1},
        [subs],
        f"{hub}.{subs}.clear()",
    )


@leak
def token_buffers(g):
    """The chunks of each answer are gathered under its id, and stay."""
    buffers, take = g.name("{}_buffers"), g.name("take_{}")
    return g.leak(
        f"""
        {buffers} = {{}}
        def {take}(key, text):
            {buffers}.setdefault(key, []).append(text)
        def {g.step}(i):
            for k in {g.each}:
                for n in range(8):
                    {take}(f"answer-{{i}}-{{k}}", f"token {{i}} {{k}} {{n}} " * 3)
        """,
        {"list": 1, "str": 9},
        [buffers],
        f"{buffers}.clear()",
        probe=f"len({buffers})",
    )


@leak
def tool_results(g):
    """Results of tool calls by name and arguments: a fresh argument in each call."""
    thing, cache, kind, agent = g.thing(), g.name("{}_results"), g.cls("Agent"), g.name("{}_agent")
    return g.leak(
        f"""
        class {kind}:
            def __init__(self):
                self.tools = {{"search": self.search}}
                self.{cache} = {{}}
            def search(self, k):
                return {thing.new()}
            def call(self, name, **arguments):
                key = (name, frozenset(arguments.items()))
                if key not in self.{cache}:
                    self.{cache}[key] = self.tools[name](arguments["k"])
                return self.{cache}[key]
        {agent} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {agent}.call("search", k=(i, k))
        """,
        thing,
        [cache],
        f"{agent}.{cache}.clear()",
    )


@leak
def weak_table_strong_closure(g):
    """A weak table of sessions, and a list of closures that keep them all the same."""
    thing, table, hooks = g.thing(bare=True), g.name("{}_sessions"), g.name("{}_hooks")
    return g.leak(
        f"""
        import weakref
        {table}, {hooks} = weakref.WeakValueDictionary(), []
        def {g.step}(i):
            for k in {g.each}:
                session = {table}[i, k] = {thing.new()}
                {hooks}.append(lambda session=session: session.key)
        """,
        {thing.name: 1, "function": 1},
        [hooks],
        f"{hooks}.clear()",
    )


@leak
def context_copies(g):
    """A context for each session, kept to run its callbacks in."""
    thing, var, contexts = g.thing(bare=True), g.name("{}_session"), g.name("{}_contexts")
    return g.leak(
        f"""
        import contextvars
        {var} = contextvars.ContextVar("{var}")
        {contexts} = []
        def {g.step}(i):
            for k in {g.each}:
                context = contextvars.copy_context()
                context.run({var}.set, {thing.new()})
                {contexts}.append(context)
        """,
        {thing.name: 1, "Context": 1},
        [contexts],
        f"{contexts}.clear()",
    )


@leak
def handlers_per_request(g):
    """A logging handler for each request, added and never removed."""
    thing, name = g.thing(bare=True), g.name("{}log")
    return g.leak(
        f"""
        import logging
        {name} = logging.getLogger("app.{name}")
        {name}.propagate = False
        class {thing.name}Handler(logging.Handler):
            def __init__(self, value):
                super().__init__()
                self.value = value
            def emit(self, record):
                pass
        def {g.step}(i):
            for k in {g.each}:
                {name}.addHandler({thing.name}Handler({thing.new()}))
        """,
        {thing.name: 1, thing.name + "Handler": 1},
        [[r"\.handlers\b"]],
        f"{name}.handlers.clear()",
        is_global=True,
    )


@leak
def signal_receivers(g):
    """Receivers of a signal by the id of their owner, kept with strong references."""
    thing, kind, receivers, changed = (
        g.thing(bare=True),
        g.cls("Signal"),
        g.name("{}_receivers"),
        g.name("{}_changed"),
    )
    return g.leak(
        f"""
        class {kind}:
            def __init__(self):
                self.{receivers} = {{}}
            def connect(self, receiver):
                self.{receivers}[id(receiver)] = receiver
            def send(self, value):
                return [receiver(value) for receiver in self.{receivers}.values()]
        {changed} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                made = {thing.new()}
                def receive(value, made=made):
                    return made
                {changed}.connect(receive)
        """,
        {thing.name: 1, "function": 1},
        [receivers],
        f"{changed}.{receivers}.clear()",
    )


@leak
def open_spans(g):
    """Spans of a trace whose root never ends: each knows its parent, and the parent its children."""
    thing, span, root, children = g.thing(bare=True), g.cls("Span"), g.name("{}_trace"), g.name("{}_children")
    return g.leak(
        f"""
        class {span}:
            def __init__(self, parent, value):
                self.parent, self.value, self.{children} = parent, value, []
                if parent is not None:
                    parent.{children}.append(self)
        {root} = {span}(None, None)
        def {g.step}(i):
            for k in {g.each}:
                inner = {span}({span}({root}, {thing.new()}), None)
        """,
        {thing.name: 1, span: 2},
        [children],
        f"{root}.{children}.clear()",
    )


@leak
def result_backend(g):
    """Results by task id, as a worker's result backend keeps them, each with callbacks of its own."""
    thing, kind, backend, results = (
        g.thing(bare=True),
        g.cls("Result"),
        g.name("{}_backend"),
        g.name("{}_by_id"),
    )
    return g.leak(
        f"""
        import types
        class {kind}:
            def __init__(self, key, store):
                self.key, self.store, self.ready = key, store, []
            def then(self, call):
                self.ready.append(call)
        {backend} = types.SimpleNamespace({results}={{}})
        def {g.step}(i):
            for k in {g.each}:
                result = {kind}(f"task-{{i}}-{{k}}", {backend})
                result.then(lambda value={thing.new()}, result=result: value)
                {backend}.{results}[result.key] = result
        """,
        {thing.name: 1, kind: 1, "function": 1},
        [results],
        f"{backend}.{results}.clear()",
    )


@leak
def abandoned_streams(g):
    """Asynchronous generators that were begun and are kept, as of clients that went away."""
    thing, streams, answer = g.thing(bare=True), g.name("{}_streams"), g.name("answer_{}")
    return g.leak(
        f"""
        {streams} = []
        async def {answer}(k):
            model = {thing.new()}
            yield model.key
            yield model.key
        async def {g.step}(i):
            for k in {g.each}:
                stream = {answer}(k)
                await stream.__anext__()
                {streams}.append(stream)
        """,
        {thing.name: 1, "async_generator": 1},
        [streams],
        f"{streams}.clear()",
    )


@leak
def exit_stack(g):
    """The stack of the whole service is given what each request should close."""
    thing, stack, close = g.thing(bare=True), g.name("{}_stack"), g.name("close_{}")
    return g.leak(
        f"""
        import contextlib
        {stack} = contextlib.ExitStack()
        def {close}(value):
            pass
        def {g.step}(i):
            for k in {g.each}:
                {stack}.callback({close}, {thing.new()})
        """,
        thing,
        [[stack, r"_exit_callbacks"]],
        f"{stack}._exit_callbacks.clear()",
    )


@leak
def history_of_dicts(g):
    """Messages as plain dicts in the history of one conversation."""
    talk, kind, messages = g.name("{}_talk"), g.cls("Conversation"), g.name("{}_messages")
    return g.leak(
        f"""
        class {kind}:
            def __init__(self):
                self.{messages} = [{{"role": "system", "content": "be brief"}}]
        {talk} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {talk}.{messages}.append({{"role": "user", "content": f"question {{i}} {{k}} " * 20}})
        """,
        {"dict": 1, "str": 1},
        [messages],
        f"{talk}.{messages}.clear()",
        probe=f"len({talk}.{messages})",
    )


@innocent
def subscribers_that_leave(g):
    """Each client's queue is taken away in a finally clause."""
    thing, subs, listen = g.borrow(), g.name("{}_subscribers"), g.name("listen_to_{}")
    return g.innocent(
        f"""
        import asyncio
        {subs} = set()
        async def {listen}(value):
            queue = asyncio.Queue()
            {subs}.add(queue)
            queue.put_nowait(value)
            try:
                yield await queue.get()
            finally:
                {subs}.discard(queue)
        async def {g.step}(i):
            for k in range(3):
                async for _ in {listen}({thing.new()}):
                    pass
        """,
        [subs, listen],
    )


@innocent
def last_spans(g):
    """The last spans, in a ring of its own making."""
    thing, ring = g.borrow(), g.name("{}_ring")
    n = g.rng.randint(5, 9)
    return g.innocent(
        f"""
        {ring} = []
        def {g.step}(i):
            {ring}.append({thing.new("i")})
            if len({ring}) > {n}:
                del {ring}[0]
        """,
        [ring],
        keeps=n,
    )


@innocent
def consumed_queue(g):
    """A task of the loop reads what each run puts into a queue."""
    thing, queue, consume = g.borrow(), g.name("{}_inbox"), g.name("consume_{}s")
    return g.innocent(
        f"""
        import asyncio
        {queue} = None
        async def {consume}():
            while True:
                message = await {queue}.get()
        async def {g.step}(i):
            global {queue}
            if {queue} is None:
                {queue} = asyncio.Queue()
                {consume}.task = asyncio.create_task({consume}())
            for k in range(2):
                {queue}.put_nowait({thing.new()})
            await asyncio.sleep(0)
        """,
        [queue, consume],
        keeps=3,
    )
