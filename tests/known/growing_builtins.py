"""Objects of every builtin type grow, each in a list of its own: what owns them must name the leak."""

import functools
import itertools
import sys
import weakref
from collections import OrderedDict, deque

numbers = itertools.count()


class Store:
    pass


STORE = Store()


class Anchor:
    pass


ANCHORS = [Anchor()]


def keep(made):
    name = sys._getframe(1).f_code.co_name.removeprefix("grow_")
    vars(STORE).setdefault(name, []).append(made)


def grow_dict():
    keep({"number": next(numbers)})


def grow_list():
    keep([next(numbers), "item"])


def grow_tuple():
    keep((next(numbers), "item"))


def grow_set():
    keep({next(numbers), "item"})


def grow_ordered_dict():
    keep(OrderedDict(number=next(numbers)))


def grow_deque():
    keep(deque([next(numbers)]))


def grow_function():
    def on_event():
        return 1

    keep(on_event)


def grow_lambda():
    keep(lambda: 1)


def grow_cell():
    number = [next(numbers)]

    def inner():
        return number

    keep(inner.__closure__[0])


def rows():
    yield 1
    yield 2


def grow_generator():
    made = rows()
    next(made)
    keep(made)


async def answer():
    return 1


def grow_coroutine():
    keep(answer())


async def chunks():
    yield 1


def grow_async_generator():
    keep(chunks())


class Reader:
    def on_line(self, line):
        return line


READER = Reader()


def grow_bound_method():
    keep(READER.on_line)


LINES = []


def grow_builtin_method():
    keep(LINES.append)


def grow_method_wrapper():
    keep(LINES.__len__)


def add(one, other):
    return one + other


def grow_partial():
    keep(functools.partial(add, 1))


def grow_weakref():
    keep(weakref.ref(ANCHORS[0], lambda reference: None))


def grow_property():
    keep(property(lambda self: 1))


def grow_classmethod():
    keep(classmethod(add))


def grow_slice():
    keep(slice(next(numbers) + 1000, None))


def grow_iterator():
    keep(iter(LINES))


def grow_text():
    keep(f"line {next(numbers)}")


def grow_bytes():
    keep(b"line %d" % next(numbers))


def grow_int():
    keep(10**6 + next(numbers))


def grow_float():
    keep(next(numbers) + 0.5)


def grow_type():
    keep(type("Made", (), {}))


def grow_frozenset():
    keep(frozenset((next(numbers), "item")))


def grow_mappingproxy():
    keep(type.__dict__["__dict__"].__get__(type("Made", (), {})))


def grow_exception():
    keep(ValueError("line"))


ALL = [function for name, function in list(globals().items()) if name.startswith("grow_")]


def run():
    for grow in ALL:
        grow()
