"""Objects that pass through several places, and what is made anew around something that grows."""

from ..registry import innocent, leak


@leak
def archived_batches(g):
    """A buffer whose full batches are moved to an archive that nobody empties."""
    thing, buffer, archive = g.thing(), g.name("{}_buffer"), g.name("{}_archive")
    size = g.rng.randint(3, 8)
    return g.leak(
        f"""
        {buffer}, {archive} = [], []
        def {g.step}(i):
            for k in {g.each}:
                {buffer}.append({thing.new()})
                if len({buffer}) >= {size}:
                    {archive}.extend({buffer})
                    {buffer}.clear()
        """,
        thing,
        [archive],
        f"{archive}.clear(); {buffer}.clear()",
        alternatives=[[archive, buffer], [buffer]],
        counted=False,
    )


@leak
def dropped_generations(g):
    """Two generations of a cache; what is dropped from the old one is kept for a report."""
    thing, young, old, dead = g.thing(), g.name("{}_young"), g.name("{}_old"), g.name("{}_dropped")
    size = g.rng.randint(2, 4)
    return g.leak(
        f"""
        {young}, {old}, {dead} = {{}}, {{}}, []
        def {g.step}(i):
            global {young}, {old}
            for k in {g.each}:
                {young}[i, k] = {thing.new()}
            if len({young}) >= {size}:
                {dead}.append({old})
                {young}, {old} = {{}}, {young}
        """,
        thing,
        [dead],
        f"{dead}.clear(); {old}.clear(); {young}.clear()",
        alternatives=[[dead, old], [dead, young], [dead, old, young]],
        counted=False,
    )


@leak
def state_made_anew(g):
    """A frozen state that each request replaces by a copy, with a text that only grows."""
    text, kind, state = g.name("{}_transcript"), g.cls("State"), g.name("{}_state")
    return g.leak(
        f"""
        import dataclasses
        @dataclasses.dataclass(frozen=True)
        class {kind}:
            {text}: str = ""
            turns: int = 0
        {state} = {kind}()
        def {g.step}(i):
            global {state}
            for k in {g.each}:
                {state} = dataclasses.replace(
                    {state}, {text}={state}.{text} + "user: hello\\n" * 100, turns={state}.turns + 1
                )
        """,
        {"str": 1},
        [text],
        f"{state} = {kind}()",
        probe=f"len({state}.{text}) / 1200",
        alternatives=[[state]],
        counted=False,
    )


@innocent
def last_batch(g):
    """A buffer whose full batches are written away; the last of them is kept."""
    thing, buffer, last = g.borrow(), g.name("{}_buffer"), g.name("{}_last")
    size = g.rng.randint(3, 8)
    return g.innocent(
        f"""
        {buffer}, {last} = [], []
        def {g.step}(i):
            global {last}
            {buffer}.append({thing.new("i")})
            if len({buffer}) >= {size}:
                {last} = list({buffer})
                {buffer}.clear()
        """,
        [buffer, last],
        keeps=16,
        undecidable=True,
    )


@innocent
def private_bound(g):
    """A cache of its own making, whose bound is a private attribute, not reached in these runs."""
    thing, kind, cache = g.borrow(), g.cls("Memo"), g.name("{}_memo")
    most = g.rng.randint(40, 90)
    return g.innocent(
        f"""
        import collections
        class {kind}:
            def __init__(self):
                self.__max_items, self.kept = {most}, collections.OrderedDict()
            def put(self, key, value):
                self.kept[key] = value
                while len(self.kept) > self.__max_items:
                    self.kept.popitem(last=False)
        {cache} = {kind}()
        def {g.step}(i):
            {cache}.put(i, {thing.new("i")})
        """,
        [cache],
        keeps=most,
        undecidable=True,
    )


@innocent
def linked_cache(g):
    """An LRU cache of a dict and a ring of links, full after a few runs."""
    thing, kind, link, cache = g.borrow(), g.cls("Lru"), g.cls("Link"), g.name("{}_lru")
    most = g.rng.randint(3, 9)
    return g.innocent(
        f"""
        class {link}:
            def __init__(self, key=None, value=None):
                self.key, self.value, self.prev, self.next = key, value, self, self
        class {kind}:
            def __init__(self):
                self.table, self.ring = {{}}, {link}()
            def put(self, key, value):
                link = self.table[key] = {link}(key, value)
                link.prev, link.next = self.ring.prev, self.ring
                self.ring.prev.next = self.ring.prev = link
                if len(self.table) > {most}:
                    oldest = self.ring.next
                    self.ring.next, oldest.next.prev = oldest.next, self.ring
                    del self.table[oldest.key]
        {cache} = {kind}()
        def {g.step}(i):
            {cache}.put(i, {thing.new("i")})
        """,
        [cache, link],
        keeps=most,
    )


@leak
def text_in_memory(g):
    """A log that is an io.StringIO, which nobody cuts off."""
    log = g.name("{}_log")
    return g.leak(
        f"""
        import io
        {log} = io.StringIO()
        def {g.step}(i):
            for k in {g.each}:
                {log}.write(f"request {{i}} {{k}}\\n".rjust(2000))
        """,
        {"str": 1},
        [log],
        f"{log}.seek(0); {log}.truncate()",
        probe=f"len({log}.getvalue()) / 2000",
        counted=False,
    )
