"""One living object of every kind the recorder has to name, made once for several tests."""

from __future__ import annotations

import abc
import array
import asyncio
import collections
import contextlib
import contextvars
import ctypes
import enum
import functools
import io
import itertools
import operator
import queue
import random
import re
import struct
import threading
import types
import typing
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any


class Point:
    def __init__(self) -> None:
        self.x = [1]
        self.y = (2, [3])

    def method(self) -> None: ...

    @property
    def prop(self) -> list[int]:
        return self.x


class Slotted:
    __slots__ = ("__weakref__", "left", "right", "unset")

    def __init__(self) -> None:
        self.left, self.right = [1], {"a": []}


class SlottedAndDict(Slotted):
    def __init__(self) -> None:
        super().__init__()
        self.extra = ["extra"]


class DictChild(dict):  # type: ignore[type-arg]
    pass


class ListChild(list):  # type: ignore[type-arg]
    __slots__ = ("tag",)


class TupleChild(tuple):  # type: ignore[type-arg]
    pass


class IntChild(int):
    pass


class StrChild(str):
    pass


class SetChild(set):  # type: ignore[type-arg]
    pass


class BytesChild(bytes):
    pass


class Meta(type):
    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> Meta:
        made = super().__new__(mcs, name, bases, space)
        made.registry = [name]
        return made


class WithMeta(metaclass=Meta):
    pass


class Error(ValueError):
    pass


class Colour(enum.Enum):
    RED = (1, [2])


class Abstract(abc.ABC):
    @abc.abstractmethod
    def do(self) -> None: ...


Named = collections.namedtuple("Named", "a b")


class Structure(ctypes.Structure):
    _fields_ = (("a", ctypes.py_object), ("b", ctypes.c_int))


def closes_over(value: object, other: object) -> Any:
    def inner(a: object = value, *, b: object = other) -> object:
        return value, other, a, b

    return inner


def generator(argument: object) -> Iterator[object]:
    held = [argument]
    for item in held:
        yield (item,)


def delegating(inner: Iterator[object]) -> Iterator[object]:
    yield from inner


async def coroutine(awaited: Any) -> object:
    kept = ["kept"]
    await awaited
    return kept


async def async_generator(argument: object) -> AsyncIterator[object]:
    held = [argument]
    yield held


@types.coroutine
def suspend() -> Iterator[object]:
    yield "suspended"


def raised() -> BaseException:
    inside = ["in the frame"]
    try:
        try:
            raise KeyError(inside)
        except KeyError as cause:
            raise Error("outer") from cause
    except Error as error:
        error.add_note("a note")
        return error


def instances() -> dict[str, Any]:
    point, slotted = Point(), Slotted()
    materialised = Point()
    materialised.__dict__["later"] = [4]
    many = Point()
    for i in range(40):
        setattr(many, f"attribute_{i}", [i])
    tagged = ListChild([[1], [2]])
    tagged.tag = ["tag"]
    child = DictChild(a=[1])
    child.attribute = ["attribute"]
    removed = {str(i): [i] for i in range(20)}
    for i in range(5):
        del removed[str(i)]
    holed = {(i,) for i in range(20)}
    holed.discard((3,))
    integer = IntChild(10**40)
    integer.note = ["note"]
    text = StrChild("text")
    text.note = ["note"]
    return {
        "point": point,
        "materialised": materialised,
        "many": many,
        "slotted": slotted,
        "slotted and dict": SlottedAndDict(),
        "dict child": child,
        "list child": tagged,
        "tuple child": TupleChild(([1], [2])),
        "int child": integer,
        "str child": text,
        "set child": SetChild({(1,), (2,)}),
        "bytes child": BytesChild(b"abc"),
        "dict": {"a": [1], 2: [2], (3,): [3], 2.5: [4]},
        "dict of str": {"a": [1], "b": [2]},
        "dict with holes": removed,
        "empty dict": {},
        "list": [[1], "two", 3],
        "tuple": ([1], "two"),
        "set": {(1,), "two", 3},
        "set with holes": holed,
        "frozenset": frozenset({(1,), (2,)}),
        "named tuple": Named([1], [2]),
        "enum": Colour.RED,
        "exception": raised(),
        "group": ExceptionGroup("group", [ValueError([1])]),
        "stop": StopIteration([1]),
        "os error": OSError(2, "no", "file"),
        "import error": ImportError("m", name="n", path="p"),
    }


def collections_and_iterators() -> dict[str, Any]:
    limited = collections.deque(([i] for i in range(200)), maxlen=150)
    ordered = collections.OrderedDict((str(i), [i]) for i in range(10))
    ordered["attribute"] = []
    default = collections.defaultdict(list, a=[1])
    items = [[1], [2]]
    return {
        "deque": limited,
        "short deque": collections.deque([[1]]),
        "ordered dict": ordered,
        "defaultdict": default,
        "counter": collections.Counter("abca"),
        "chain map": collections.ChainMap({"a": [1]}),
        "list iterator": iter(items),
        "tuple iterator": iter((items,)),
        "set iterator": iter({(1,)}),
        "dict iterator": iter({"a": items}.items()),
        "dict view": {"a": items}.values(),
        "enumerate": enumerate(items),
        "zip": zip(items, items, strict=False),
        "map": map(len, items),
        "filter": filter(len, items),
        "reversed": reversed(items),
        "chain": itertools.chain(items, items),
        "cycle": itertools.cycle(items),
        "repeat": itertools.repeat(items),
        "islice": itertools.islice(items, 2),
        "starmap": itertools.starmap(len, items),
        "accumulate": itertools.accumulate(items, operator.add, initial=[]),
        "groupby": itertools.groupby(items, len),
        "product": itertools.product(items, items),
        "tee": itertools.tee(items)[0],
        "slice": slice([1], [2]),
        "range": range(3),
        "simple queue": queue.SimpleQueue(),
        "array": array.array("d", range(100)),
        "bytearray": bytearray(b"x" * 50),
        "memoryview": memoryview(bytearray(b"abc")),
        "bytes io": io.BytesIO(b"y" * 300),
        "string io": io.StringIO("text"),
        "text io": io.TextIOWrapper(io.BytesIO(), encoding="utf-8"),
        "buffered": io.BufferedReader(io.BytesIO(b"z" * 10)),  # type: ignore[arg-type]
        "pattern": re.compile("(?P<a>x)(y)"),
        "match": re.match("(x)", "xy"),
        "random": random.Random(1),
        "struct": struct.Struct("iid"),
    }


def callables() -> dict[str, Any]:
    @functools.lru_cache(maxsize=4)
    def bounded(value: object) -> list[object]:
        return [value]

    @functools.cache
    def unbounded(value: object) -> list[object]:
        return [value]

    for i in range(9):
        bounded(i)
        unbounded(i)
    point = Point()
    return {
        "function": closes_over([1], {"b": 2}),
        "lambda": lambda: 0,
        "cell": types.CellType([1]),
        "bound method": point.method,
        "builtin method": [].append,
        "slot wrapper": int.__add__,
        "method wrapper": [1].__len__,
        "method descriptor": list.append,
        "getset": types.FunctionType.__dict__["__code__"],
        "member": Slotted.__dict__["left"],
        "property": Point.__dict__["prop"],
        "classmethod": classmethod(closes_over(1, 2)),
        "staticmethod": staticmethod(closes_over(1, 2)),
        "partial": functools.partial(closes_over, [1], other=[2]),
        "bounded cache": bounded,
        "unbounded cache": unbounded,
        "itemgetter": operator.itemgetter("a"),
        "attrgetter": operator.attrgetter("a.b"),
        "methodcaller": operator.methodcaller("m", [1]),
        "code": closes_over.__code__,
        "class": Point,
        "class with slots": SlottedAndDict,
        "metaclass": Meta,
        "class with metaclass": WithMeta,
        "abstract class": Abstract,
        "enum class": Colour,
        "builtin class": int,
        "ctypes class": Structure,
        "ctypes": Structure([1], 2),
        "module": types.ModuleType("made"),
        "mapping proxy": types.MappingProxyType({"a": [1]}),
        "namespace": types.SimpleNamespace(a=[1]),
        "alias": list[int],
        "union": int | list[str],
        "type variable": typing.TypeVar("T", bound=int),
        "super": super(Slotted, SlottedAndDict()),
    }


def running_things() -> dict[str, Any]:
    started = generator(["argument"])
    next(started)
    finished = generator(["argument"])
    list(finished)
    outer = delegating(generator([1]))
    next(outer)
    waiting = coroutine(suspend())
    waiting.send(None)
    nested = coroutine(coroutine(suspend()))
    nested.send(None)
    agen = async_generator([1])
    step = agen.__anext__()
    with contextlib.suppress(StopIteration):
        step.send(None)
    sent = agen.asend([2])
    thrown = agen.athrow(ValueError())
    loop = asyncio.new_event_loop()
    context = contextvars.copy_context()
    variables = [contextvars.ContextVar(f"variable_{i}", default=(i,)) for i in range(60)]
    tokens = [context.run(variable.set, [i]) for _ in range(2) for i, variable in enumerate(variables)]
    future = loop.create_future()
    future.add_done_callback(id, context=context)  # may be called when the zoo is dropped
    future.add_done_callback(repr, context=context)
    done = loop.create_future()
    done.set_result([1])
    failed = loop.create_future()
    failed.set_exception(ValueError())
    failed.exception()
    task = loop.create_task(coroutine(future), name="a task")
    loop.run_until_complete(asyncio.sleep(0))
    local = threading.local()
    local.value = [1]
    kept = Point()
    return {
        "unstarted": generator([1]),
        "generator": started,
        "finished generator": finished,
        "delegating": outer,
        "coroutine": waiting,
        "nested coroutine": nested,
        "wrapped coroutine": coroutine(1).__await__(),
        "async generator": agen,
        "asend": sent,
        "athrow": thrown,
        "loop": loop,
        "future": future,
        "done future": done,
        "failed future": failed,
        "task": task,
        "context": context,
        "variable": variables[0],
        "variables": variables,
        "token": tokens[-1],
        "thread local": local,
        "lock": threading.Lock(),
        "rlock": threading.RLock(),
        "thread": threading.Thread(target=print, args=([1],)),
        "weakref": weakref.ref(kept, lambda _: None),
        "proxy": weakref.proxy(kept),
        "weak values": weakref.WeakValueDictionary(a=kept),
        "weak keys": weakref.WeakKeyDictionary({kept: [1]}),
        "weak set": weakref.WeakSet([kept]),
        "weak method": weakref.WeakMethod(kept.method),
        "finalizer": weakref.finalize(kept, print),
        "kept": kept,
    }


def everything() -> dict[str, Any]:
    return {**instances(), **collections_and_iterators(), **callables(), **running_things()}


def names() -> list[str]:
    """What is in it, for who only counts."""
    animals = everything()
    # Or Python says that it was never awaited, which is what it is here for.
    animals["wrapped coroutine"].close()
    return list(animals)
