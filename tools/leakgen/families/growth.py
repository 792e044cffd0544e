"""One object that grows, or a chain."""

from ..registry import leak


@leak
def partial_chain(g):
    """Each run wraps the callback of the run before."""
    thing, chain, call = g.thing(), g.name("on_{}"), g.name("call_{}")
    return g.leak(
        f"""
        import functools
        def {call}(before, value):
            return value
        {chain} = print
        def {g.step}(i):
            global {chain}
            for k in {g.each}:
                {chain} = functools.partial({call}, {chain}, {thing.new()})
        """,
        {**thing.types, "partial": 1},
        [[chain, r"\bpartial\b"]],
        f"global {chain}; {chain} = None",
    )


@leak
def linked_list(g):
    thing, node, head = g.thing(), g.cls("Link"), g.name("last_{}")
    return g.leak(
        f"""
        class {node}:
            __slots__ = ("value", "previous")
            def __init__(self, value, previous):
                self.value, self.previous = value, previous
        {head} = None
        def {g.step}(i):
            global {head}
            for k in {g.each}:
                {head} = {node}({thing.new()}, {head})
        """,
        {**thing.types, node: 1},
        [[head, rf"\b{node}\.previous"]],
        f"global {head}; {head} = None",
    )


@leak
def fresh_counters(g):
    """A dict of counts by fresh text: nothing but texts and numbers."""
    counts = g.name("{}_counts")
    return g.leak(
        f"""
        {counts} = {{}}
        def {g.step}(i):
            for k in {g.each}:
                {counts}[f"user-{{i}}-{{k}}-" + "u" * 30] = i * 1000 + k
        """,
        {"str": 1, "int": 1},
        [counts],
        f"{counts}.clear()",
        probe=f"len({counts})",
    )


@leak
def growing_bytes(g):
    """One bytearray, kilobytes more in each run."""
    body = g.name("{}_body")
    return g.leak(
        f"""
        {body} = bytearray()
        def {g.step}(i):
            for k in {g.each}:
                {body}.extend(b"x" * 3000)
        """,
        {"bytearray": 1},
        [body],
        f"{body}.clear()",
        probe=f"len({body}) / 3000",
        counted=False,
    )


@leak
def growing_text(g):
    text, kind, service = g.name("{}_text"), g.cls("Report"), g.name("{}_report")
    return g.leak(
        f"""
        class {kind}:
            def __init__(self):
                self.{text} = ""
        {service} = {kind}()
        def {g.step}(i):
            for k in {g.each}:
                {service}.{text} += "line of text\\n" * 200
        """,
        {"str": 1},
        [text],
        f"{service}.{text} = ''",
        probe=f"len({service}.{text}) / 2600",
        counted=False,
    )


@leak
def views_kept(g):
    """Small views that pin big buffers."""
    views = g.name("{}_views")
    return g.leak(
        f"""
        {views} = []
        def {g.step}(i):
            for k in {g.each}:
                {views}.append(memoryview(bytearray(5000))[:10])
        """,
        {"memoryview": 1, "bytearray": 1, "managedbuffer": 1},
        [views],
        f"{views}.clear()",
        probe=f"len({views})",
    )
