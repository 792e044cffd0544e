"""Small programs, each with one slot that fills up: the line that makes or fills it is marked `# HERE`.

Where there is no mark, no line may be given. `Thing` is a class of the program's own; `#### name.py` begins
another file beside it. `run()` is called in each run.
"""

from __future__ import annotations

PROGRAMS = {
    "module_global": """
        CACHE = {}  # HERE
        def other():
            CACHE = {}
        def run():
            CACHE[len(CACHE)] = Thing()
    """,
    "annotated_global": """
        CACHE: dict[int, object] = {}  # HERE
        def run():
            CACHE[len(CACHE)] = Thing()
    """,
    "tuple_targets": """
        a, bucket = 1, []  # HERE
        def run():
            bucket.append(Thing())
    """,
    "chained_targets": """
        x = y = []  # HERE
        def run():
            y.append(Thing())
    """,
    "starred_target": """
        first, *rest = 1, 2, 3  # HERE
        def run():
            rest.append(Thing())
    """,
    "assigned_again": """
        log = []
        log = []  # HERE
        def run():
            log.append(Thing())
    """,
    "first_nothing_then_made": """
        store = None
        def run():
            global store
            if store is None:
                store = []  # HERE
            store.append(Thing())
    """,
    "made_in_two_functions": """
        store = None
        def one():
            global store
            store = []
        def two():
            global store
            store = []
        def run():
            if store is None:
                one()
            store.append(Thing())
    """,
    "conditional": """
        import sys
        if sys.maxsize > 10:
            table = {}
        else:
            table = {}
        def run():
            table[len(table)] = Thing()
    """,
    "one_branch_makes_another_type": """
        try:
            import no_such_module_anywhere
            table = ()
        except ImportError:
            table = {}  # HERE
        def run():
            table[len(table)] = Thing()
    """,
    "comprehension": """
        lanes = [None for lanes in range(3)]  # HERE
        def run():
            lanes.append(Thing())
    """,
    "list_of_lists": """
        lanes = [[] for _ in range(3)]  # HERE
        def run():
            lanes[1].append(Thing())
    """,
    "default_dict": """
        from collections import defaultdict
        by_user = defaultdict(list)  # HERE
        def run():
            by_user["u"].append(Thing())
    """,
    "deque_under_another_name": """
        from collections import deque as ring
        recent = ring()  # HERE
        def run():
            recent.append(Thing())
    """,
    "from_a_function": """
        def make():
            return []
        log = make()  # HERE
        def run():
            log.append(Thing())
    """,
    "made_through_globals": """
        globals()["hidden"] = []
        def run():
            hidden.append(Thing())
    """,
    "written_by_globals_as_well": """
        log = make = None
        for key in ("log",):
            globals()[key] = []
        def run():
            log.append(Thing())
    """,
    "made_by_exec": """
        exec("hidden = []")
        def run():
            hidden.append(Thing())
    """,
    "class_made_by_exec": """
        exec("class Box:\\n    def __init__(self):\\n        self.items = []")
        items = []
        box = Box()
        def run():
            box.items.append(Thing())
    """,
    "instance_attribute": """
        class Pool:
            def __init__(self):
                self.name = "p"
                self.items = []  # HERE
            def clear(self):
                self.items = []
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "another_name_for_self": """
        class Pool:
            def __init__(this, items=3):
                this.items = []  # HERE
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "same_name_in_another_class": """
        class Other:
            def __init__(self):
                self.items = []
        class Pool:
            def __init__(self):
                self.items = []  # HERE
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "same_name_as_a_global": """
        items = []
        class Pool:
            pass
        pool = Pool()
        pool.items = []
        def run():
            pool.items.append(Thing())
    """,
    "lazily_made": """
        class Pool:
            items = None
            def add(self, thing):
                if self.items is None:
                    self.items = []  # HERE
                self.items.append(thing)
        pool = Pool()
        def run():
            pool.add(Thing())
    """,
    "made_in_either_of_two_methods": """
        class Pool:
            def open(self):
                self.items = []
            def reopen(self):
                self.items = []
        pool = Pool()
        pool.open()
        def run():
            pool.items.append(Thing())
    """,
    "inherited": """
        from inherited_from import Base
        class Pool(Base):
            def size(self):
                return 1
        pool = Pool()
        def run():
            pool.items.append(Thing())
        #### inherited_from.py
        items = []
        class Base:
            def __init__(self):
                self.other = 1
                self.items = []  # HERE
    """,
    "in_base_and_derived": """
        class Base:
            def __init__(self):
                self.items = []
        class Pool(Base):
            def __init__(self):
                super().__init__()
                self.items = []
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "mixed_in": """
        class Mixin:
            def __init__(self):
                self.items = set()  # HERE
                super().__init__()
        class Base:
            def __init__(self):
                self.others = []
        class Pool(Mixin, Base):
            pass
        pool = Pool()
        def run():
            pool.items.add(Thing())
    """,
    "property_over_a_private_name": """
        class Pool:
            @property
            def items(self):
                return self._items
            @items.setter
            def items(self, value):
                self._items = value  # HERE
        pool = Pool()
        pool.items = []
        def run():
            pool.items.append(Thing())
    """,
    "slots_class": """
        class Pool:
            __slots__ = ("items", "other")
            def __init__(self):
                self.other = {}
                self.items = []  # HERE
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "private_name": """
        class _Pool:
            def __init__(self):
                self.__items = []  # HERE
            def add(self, thing):
                self.__items.append(thing)
        pool = _Pool()
        def run():
            pool.add(Thing())
    """,
    "class_attribute": """
        class Registry:
            items = []  # HERE
        def run():
            Registry.items.append(Thing())
    """,
    "set_on_a_class_from_outside": """
        class Registry:
            items = None
        Registry.items = []  # HERE
        def run():
            Registry.items.append(Thing())
    """,
    "class_method_makes_it": """
        class Registry:
            items = None
            @classmethod
            def start(cls):
                cls.items = []  # HERE
        Registry.start()
        def run():
            Registry.items.append(Thing())
    """,
    "nested_class": """
        class Outer:
            items = ()
            class Inner:
                items = []  # HERE
        def run():
            Outer.Inner.items.append(Thing())
    """,
    "metaclass_registry": """
        class Meta(type):
            registry = []  # HERE
            def __init__(cls, name, bases, namespace):
                super().__init__(name, bases, namespace)
        class Base(metaclass=Meta):
            pass
        def run():
            Meta.registry.append(Thing())
    """,
    "metaclass_gives_each_class_one": """
        class Meta(type):
            def __new__(mcs, name, bases, namespace):
                cls = super().__new__(mcs, name, bases, namespace)
                cls.registry = []
                return cls
        class Base(metaclass=Meta):
            pass
        def run():
            Base.registry.append(Thing())
    """,
    "data_class": """
        from dataclasses import dataclass, field
        @dataclass
        class Pool:
            name: str
            items: list = field(default_factory=list)  # HERE
        pool = Pool("p")
        def run():
            pool.items.append(Thing())
    """,
    "data_class_given_from_outside": """
        from dataclasses import dataclass
        @dataclass
        class Pool:
            items: list
        pool = Pool([])
        def run():
            pool.items.append(Thing())
    """,
    "named_tuple": """
        from typing import NamedTuple
        class Pool(NamedTuple):
            items: list
        pool = Pool([])
        def run():
            pool.items.append(Thing())
    """,
    "set_by_constant_name": """
        class Pool:
            def __init__(self):
                setattr(self, "items", [])  # HERE
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "set_by_any_name": """
        class Pool:
            def __init__(self, **given):
                for key, value in given.items():
                    setattr(self, key, value)
            def items_of(self, other):
                self.items = other
        pool = Pool(items=[])
        def run():
            pool.items.append(Thing())
    """,
    "through_dict_update": """
        class Pool:
            def __init__(self, **given):
                self.__dict__.update(given)
        pool = Pool(items=[])
        def run():
            pool.items.append(Thing())
    """,
    "made_in_new": """
        class Pool:
            def __new__(cls):
                made = super().__new__(cls)
                made.items = []  # HERE
                return made
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "two_classes_of_one_name": """
        class Pool:
            def __init__(self):
                self.items = []
        Old = Pool
        class Pool:
            def __init__(self):
                self.items = []  # HERE
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "class_in_a_function": """
        items = []
        def factory():
            class Pool:
                def __init__(self):
                    self.items = []  # HERE
            return Pool()
        pool = factory()
        def run():
            pool.items.append(Thing())
    """,
    "decorated_class": """
        def plain(cls):
            return cls
        @plain
        @plain
        class Pool:
            def __init__(self):
                self.items = []  # HERE
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
    "chain_from_an_attribute": """
        class Session:
            def __init__(self):
                self.head = None
            def push(self, thing):
                thing.next = self.head
                self.head = thing  # HERE
        session = Session()
        def run():
            session.push(Thing())
    """,
    "closure": """
        def counter():
            seen = []  # HERE
            def add(thing):
                seen.append(thing)
            return add
        add = counter()
        def run():
            add(Thing())
    """,
    "closure_over_an_argument": """
        seen = ()
        def counting(seen):
            def add(thing):
                seen.append(thing)
            return add
        add = counting([])
        def run():
            add(Thing())
    """,
    "shadowed_closure": """
        def shadowing():
            seen = []
            def middle():
                seen = []  # HERE
                def add(thing):
                    seen.append(thing)
                return add
            return middle()
        add = shadowing()
        def run():
            add(Thing())
    """,
    "default_argument": """
        def add(thing, kept=[]):  # HERE
            kept.append(thing)
        def run():
            add(Thing())
    """,
    "keyword_default": """
        def add(
            thing,
            *,
            other=(),
            kept={},  # HERE
        ):
            kept[len(kept)] = thing
        def run():
            add(Thing())
    """,
    "generator_local": """
        def feed():
            batch = ()
            kept = []  # HERE
            while True:
                kept.append(Thing())
                yield
        source = feed()
        def run():
            next(source)
    """,
    "generator_argument": """
        kept = ()
        def feeding(kept):
            while True:
                kept.append(Thing())
                yield
        source = feeding([])
        def run():
            next(source)
    """,
    "function_attribute": """
        calls = ()
        def handler(thing):
            handler.calls.append(thing)
        handler.calls = []  # HERE
        def run():
            handler(Thing())
    """,
    "method_cache": """
        import functools
        cache = {}
        class Api:
            @functools.lru_cache(maxsize=None)  # HERE
            def get(self, key):
                return Thing()
        api, count = Api(), iter(range(10**6))
        def run():
            api.get(next(count))
    """,
    "cache_around_a_function": """
        import functools
        def get(key):
            return Thing()
        cached = functools.lru_cache(maxsize=None)(get)  # HERE
        count = iter(range(10**6))
        def run():
            cached(next(count))
    """,
    "simple_namespace": """
        from types import SimpleNamespace
        state = SimpleNamespace(items=[])  # HERE
        def run():
            state.items.append(Thing())
    """,
    "queue_of_the_library": """
        import queue
        jobs = queue.SimpleQueue
        class Service:
            def __init__(self):
                self.jobs = queue.Queue()  # HERE
        service = Service()
        def run():
            service.jobs.put(Thing())
    """,
    "subclass_of_dict": """
        class Table(dict):
            pass
        table = Table()  # HERE
        def run():
            table[len(table)] = Thing()
    """,
    "star_import": """
        from star_source import *
        def run():
            shared_things.append(Thing())
        #### star_source.py
        shared_things = []  # HERE
    """,
    "imported_name": """
        from import_source import kept_things
        def run():
            kept_things.append(Thing())
        #### import_source.py
        class Unused:
            kept_things = ()
        kept_things = []  # HERE
    """,
    "partial": """
        import functools
        def add(kept, thing):
            kept.append(thing)
        add_one = functools.partial(add, [])
        def run():
            add_one(Thing())
    """,
    "loop_variable": """
        for kept in ([], []):  # HERE
            pass
        def run():
            kept.append(Thing())
    """,
    "with_target": """
        import contextlib
        with contextlib.nullcontext([]) as kept:  # HERE
            pass
        def run():
            kept.append(Thing())
    """,
    "walrus": """
        if (kept := []) is not None:  # HERE
            pass
        def run():
            kept.append(Thing())
    """,
    "latin_1": """
        # -*- coding: latin-1 -*-
        name = "caf\xe9"
        kept = []  # HERE
        def run():
            kept.append(Thing())
    """,
    "statement_of_many_lines": """
        kept: dict[  # HERE
            str,
            int,
        ] = {}
        other = {}
        def run():
            kept[len(kept)] = Thing()
    """,
    "conditional_expression": """
        import sys
        kept = [] if sys.maxsize else {}  # HERE
        def run():
            kept.append(Thing())
    """,
    "pool_given_to_the_constructor": """
        class Pool:
            def __init__(self, items=None):
                self.items = items or []  # HERE
        pool = Pool()
        def run():
            pool.items.append(Thing())
    """,
}
