"""Lines of slots on drawn heaps: the source says where the name of a slot is bound, or there is no line."""

from __future__ import annotations

import textwrap

import pytest

from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.lines.sourcelines import SourceLines
from leakscan.heap.source_files import SourceText

FILE = "/srv/app.py"
MODULE = f"module app -> m; m: module name=app at={FILE}:1; m -[.State]-> State; d: dict; d -[int 1]-> x"
CLASS = f"{MODULE}; State: type defines=app.State name=State flags=tracked,type"
FUNCTION = f"{MODULE}; m -[.f]-> f; f: function name=f; f -[slot __code__]-> c; c: code name=f at={FILE}:LINE"

IN = {
    "module": f"{MODULE}; m -[.d]-> d",
    "instance": f"{CLASS}; m -[.S]-> s; s: app.State; s -[.d]-> d",
    "private": f"{CLASS}; m -[.S]-> s; s: app.State; s -[._State__d]-> d",
    "class": f"{CLASS}; State -[.d]-> d",
    "function": f"{FUNCTION}; f -[.d]-> d",
    "local": f"{MODULE}; thread T -> r; r: <frame>; r -[slot f_code]-> c; c: code name=f at={FILE}:LINE; "
    "r -[local d]-> d",
    "closure": f"{FUNCTION.replace('name=f at', 'name=make.<locals>.f at')}; f -[slot __closure__]-> t; "
    "t: tuple; t -[0]-> e; e: cell name=d; e -[slot cell_contents]-> d",
    "default": f"{FUNCTION}; f -[slot __defaults__]-> t; t: tuple; t -[1]-> d",
    "keyword": f"{FUNCTION}; f -[slot __kwdefaults__]-> t; t: dict; t -['d']-> d",
    "cache": f"{FUNCTION.replace('m -[.f]-> f', 'm -[.f]-> w -[slot __wrapped__]-> f')}; "
    "w: functools._lru_cache_wrapper; w -[slot cache]-> d",
}
"""A dict `d` in one slot each. The code of `f` begins at LINE: where the source has `# F`."""


def marked(lines: list[str], mark: str) -> int | None:
    return next((number for number, line in enumerate(lines, 1) if line.endswith(mark)), None)


def line_in(source: str, slot: str, **meta: object) -> tuple[int | None, int | None]:
    """The line that is given for the slot, and the one that the source marks with `# HERE`."""
    text = textwrap.dedent(source).strip()
    graph = heap(IN[slot].replace("LINE", str(marked(text.splitlines(), "# F"))), meta=meta)
    read = {FILE: SourceText(text, written_unix=100.0, root="here")}.get
    found = SourceLines(graph, Analysed(graph).names.parent_ref, read).line_of_object(graph["d"])
    return None if found is None else found.line, marked(text.splitlines(), "# HERE")


MODULES = {
    "assigned": "d = {}  # HERE",
    "annotated": "d: dict = {}  # HERE",
    "in a tuple": "a, (d, c) = 1, ({}, 2)  # HERE",
    "starred": "a, *d = x  # HERE",
    "of a constructor": "d = dict()  # HERE",
    "assigned again": "d = {}\nd = {}  # HERE",
    "by the walrus": "print(d := {})  # HERE",
    "in a with": "with open('x') as f:\n    d = {}  # HERE",
    "what a with gives": "with make() as d:  # HERE\n    pass",
    "of a loop": "for d in x:  # HERE\n    pass",
    "in a try": "try:\n    d = {}  # HERE\nexcept E:\n    pass",
    "in a function": "d = None\ndef g():\n    global d\n    d = {}  # HERE",
    "of a pattern": "match x:\n    case {'a': d}:  # HERE\n        pass",
    "in a case": "match x:\n    case 1:\n        d = {}  # HERE",
    "something else in the exception": "d = {}  # HERE\ntry:\n    pass\nexcept E:\n    d = 1",
    "in one of two branches": "if x:\n    d = {}\nelse:\n    d = {}",
    "perhaps made again": "d = {}\nif x:\n    d = {}",
    "imported": "from other import d",
    "of an exception": "try:\n    pass\nexcept E as d:  # HERE\n    pass",
    "by text, of a function that tells no type": "globals()['d'] = x\nd = make()",
    "by text, of a display": "globals()['d'] = x\nd = {}  # HERE",
    "another name": "e = {}",
    "not Python": "d = {",
}


@pytest.mark.parametrize("name", MODULES)
def test_a_global_is_made_where_its_name_is_bound(name: str):
    given, expected = line_in(MODULES[name], "module")
    assert given == expected


INSTANCES = {
    "in the constructor": "class State:\n  def __init__(self):\n    self.d = {}  # HERE",
    "whatever self is called": "class State:\n  def __init__(me, /):\n    me.d = {}  # HERE",
    "in __new__": "class State:\n  def __new__(cls):\n    it = object()\n    it.d = {}  # HERE",
    "by its name": "class State:\n  def __init__(self):\n    setattr(self, 'd', {})  # HERE",
    "in a method": "class State:\n  def start(self):\n    self.d = {}  # HERE",
    "made again later": "class State:\n  def __init__(self):\n    self.d = {}  # HERE\n"
    "  def clear(self):\n    self.d = {}",
    "in a function of a method": "class State:\n  def start(self):\n    def at():\n      self.d = {}  # HERE",
    "a field": "class State:\n  d: dict = field(default_factory=dict)  # HERE",
    "in two methods": "class State:\n  def one(self):\n    self.d = {}\n  def two(self):\n    self.d = {}",
    "of a static method": "class State:\n  @staticmethod\n  def make(self):\n    self.d = {}",
    "two classes of one name": "class State:\n  d: dict = {}\nclass State:\n  d: int = 1",
    "by text": "class State:\n  def __init__(self, **k):\n    self.d = make()\n    self.__dict__.update(k)",
    "another class": "class Other:\n  def __init__(self):\n    self.d = {}",
}


@pytest.mark.parametrize("name", INSTANCES)
def test_an_attribute_is_made_where_a_method_of_its_class_binds_it(name: str):
    given, expected = line_in(INSTANCES[name], "instance")
    assert given == expected


OTHERS = {
    "private": "class State:\n  def __init__(self):\n    self.__d = {}  # HERE",
    "class": "class State:\n  d = {}  # HERE",
    "function": "def f():  # F\n  pass\nf.d = {}  # HERE",
    "local": "d = {}\ndef f():  # F\n  d = {}  # HERE\n  def g():\n    d = {}",
    "closure": "def make():\n  d = {}  # HERE\n  def f():  # F\n    return d\n  return f",
    "default": "def f(a=1,  # F\n  d={},  # HERE\n): pass",
    "keyword": "def f(*, a,  # F\n  d={},  # HERE\n): pass",
    "cache": "def g(): pass\n@lru_cache(maxsize=9)  # F\ndef f(): pass",
}


@pytest.mark.parametrize("slot", [slot for slot in OTHERS if slot != "cache"])
def test_every_kind_of_slot_has_its_line(slot: str):
    given, expected = line_in(OTHERS[slot], slot)
    assert given == expected is not None


def test_a_cache_is_made_by_its_decorator():
    assert line_in(OTHERS["cache"], "cache")[0] == 2


@pytest.mark.parametrize(
    ("slot", "source"),
    [
        ("class", "class State:\n  @classmethod\n  def fill(cls):\n    cls.d = {}  # HERE"),
        ("class", "class State:\n  def __init_subclass__(cls):\n    cls.d = {}  # HERE"),
        ("class", "class State: pass\ndef fill():\n  State.d = {}  # HERE"),
        ("function", "def f():  # F\n  f.d = {}  # HERE"),
        ("local", "def f():  # F\n  d = None\n  def g():\n    nonlocal d\n    d = {}  # HERE"),
        ("closure", "def make(d):\n  def f():  # F\n    return d"),
        ("default", "def f(a=1):  # F\n  pass"),
    ],
)
def test_names_are_bound_from_elsewhere_too(slot: str, source: str):
    given, expected = line_in(source, slot)
    assert given == expected


@pytest.mark.parametrize(
    ("meta", "line"),
    [
        ({"time_unix": 100.0, "root": "here"}, 1),
        ({"time_unix": 99.0, "root": "here"}, None),
        ({"time_unix": 100.0, "root": "elsewhere"}, None),
    ],
)
def test_a_file_that_is_not_the_one_that_ran_gives_no_line(meta: dict[str, object], line: int | None):
    assert line_in("d = {}", "module", **meta)[0] == line


def test_a_function_that_begins_elsewhere_in_the_file_says_that_it_is_another_one():
    assert line_in("x = 1  # F\ndef f(): pass\nf.d = {}", "function")[0] is None
