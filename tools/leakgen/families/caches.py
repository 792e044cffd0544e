"""Leaks in caches without a bound, and in what a program keeps of its past."""

from ..registry import leak


@leak
def lru_unbounded(g):
    thing, load = g.thing(), g.name("load_{}")
    return g.leak(
        f"""
        import functools
        @functools.lru_cache(maxsize=None)
        def {load}(key):
            return {thing.new("key")}
        def {g.step}(i):
            for k in {g.each}:
                {load}((i, k))
        """,
        thing,
        [load],
        f"{load}.cache_clear()",
    )


@leak
def kept_errors(g):
    """Exceptions that are kept, and their frames with them."""
    thing, errors, parse = g.thing(bare=True), g.name("{}_errors"), g.name("parse_{}")
    return g.leak(
        f"""
        {errors} = []
        def {parse}(k):
            document = {thing.new()}
            raise ValueError(k)
        def {g.step}(i):
            for k in {g.each}:
                try:
                    {parse}(k)
                except ValueError as error:
                    {errors}.append(error)
        """,
        {thing.name: 1, "ValueError": 1, "traceback": 2, "frame": 1},
        [errors],
        f"{errors}.clear()",
    )


@leak
def suspended_generators(g):
    """Generators that were begun and are kept."""
    thing, open_ones, rows = g.thing(bare=True), g.name("open_{}s"), g.name("rows_of_{}")
    return g.leak(
        f"""
        {open_ones} = []
        def {rows}(k):
            cursor = {thing.new()}
            yield cursor.key
            yield cursor.key
        def {g.step}(i):
            for k in {g.each}:
                reader = {rows}(k)
                next(reader)
                {open_ones}.append(reader)
        """,
        {thing.name: 1, "generator": 1},
        [open_ones],
        f"{open_ones}.clear()",
    )


@leak
def kept_types(g):
    """A class made for each request, in a registry of classes."""
    base, registry, name = g.cls("Model"), g.name("{}_models"), g.cls("Reply")
    return g.leak(
        f"""
        class {base}:
            {registry} = []
            def __init_subclass__(cls):
                {base}.{registry}.append(cls)
        def {g.step}(i):
            for k in {g.each}:
                type("{name}", ({base},), {{"number": k}})
        """,
        {"type": 1, name: 1},
        [registry],
        f"{base}.{registry}.clear()",
        probe=f"len({base}.{registry})",
    )
