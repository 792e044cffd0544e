"""Heaps drawn as text, so that a test shows the graph it is about.

    graph = heap("root -> a; a -> b, c; b -> d; c -> d")
    graph["d"]                     # object number
    graph.spell([0, 3])            # ["a", "d"]

Statements end at `;` or at a line's end; a line that starts with `#` is a comment.

References and roots (chains and several targets are allowed; a bare `->` is the attribute named
after its target, and objects exist as soon as they are mentioned):

    a -> b, c -> d                 .b and .c of a; .d of b and of c
    flow -[._runs]-> runs -['run-1']-> run
    a =[slot __self__]=> b         `=...=>` borrows: it owns no count
    root -> a                      interpreter state called "root"
    module streamlab.workflow -> m      the root goes straight to m
    thread MainThread -> frame          labelled "thread 'MainThread'"
    interpreter atexit callbacks -> fn
    static int -> t                a static type
    own thread sampler -> f        a root that belongs to leakscan; `=>` for one without a count

Labels between `-[` and `]->`:

    .name  ATTRIBUTE      'key'  KEY_STR       int 17  KEY_INT      <Point>  KEY_OTHER
    3      INDEX          {}     MEMBER        ~       WEAK         ?        UNNAMED
    .__dict__  DICT       __class__  TYPE      key 'name'  KEY (the key object)
    slot f  local x  stack 3  await cr_await  context v  machinery __mro__  frame caller
    internal map  ephemeron v  element .get('x')  closure x

Declarations (every part is optional; quote values that contain spaces):

    out: streamlab.ModelOutput size=100 birth=3
    fn: function name='on_chunk.<locals>.output' at=streamlab/workflow.py:31
    d: dict refcount=+1            one count more than the references drawn: held from C
    x: mod:Outer.Inner flags=tracked,finalizer bound=128 addr=0x7f00 site=app.py:10:make
    T: type defines=streamlab.ModelOutput
    type streamlab.ModelOutput flags=heap,collected     the row of the type table
    y: app.Session birth=1 work='POST /chat'            allocated while this was under way
    work 'POST /chat' begun=20                          how often it began since the baseline

Defaults: type `object`, size 1, the reference count that the drawing explains, flag `tracked`, births
unknown unless some object declares one (then 0), an address that depends on the name only, so that
the same name is the same object in two drawings. `refcount=` also takes a number or `immortal`,
`birth=` also `own` and `unknown`, `flags=none` clears them.
"""

from __future__ import annotations

import re
import shlex
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leakscan.heap.graph import HeapGraph, Roots, StringTable, TypeTable
from leakscan.heap.kinds import (
    BIRTH_OWN,
    BIRTH_UNKNOWN,
    BIRTH_WAITING,
    BORROWED,
    IMMORTAL,
    NO_OBJECT,
    Kind,
    ObjectFlag,
    RootFlag,
    RootKind,
    TypeFlag,
)


@dataclass(frozen=True)
class DrawnHeap(HeapGraph):
    """A HeapGraph whose objects have the names of the drawing."""

    numbers: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]

    def spell(self, objects: Iterable[int]) -> list[str]:
        """The drawing's names of these object numbers, in the given order."""
        names = list(self.numbers)
        return [names[int(obj)] for obj in objects]


def heap(text: str, *, runtime: str = "cpython", meta: Mapping[str, Any] | None = None) -> DrawnHeap:
    """The heap that `text` draws; see the module's docstring. ValueError names what is wrong."""
    drawing = _Drawing()
    for statement in _statements(text):
        _read_statement(drawing, statement)
    return drawing.finish(runtime, meta or {})


def from_edges(
    count: int,
    edges: Iterable[tuple[int, int]],
    roots: Iterable[int] = (0,),
    *,
    sizes: Iterable[int] | None = None,
    kind: Kind = Kind.UNNAMED,
    runtime: str = "cpython",
) -> HeapGraph:
    """A heap of `count` anonymous objects from (source, target) pairs: for random and for big graphs."""
    pairs = np.asarray(list(edges) if not isinstance(edges, np.ndarray) else edges, np.uint32).reshape(-1, 2)
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    targets = np.ascontiguousarray(pairs[:, 1])
    first = np.zeros(count + 1, np.uint64)
    np.cumsum(np.bincount(pairs[:, 0], minlength=count), out=first[1:])
    held = np.fromiter(roots, np.uint32)
    counts = np.bincount(targets, minlength=count) + np.bincount(held, minlength=count)
    strings = _Strings()
    root_label, builtins, name = strings.add("root"), strings.add("builtins"), strings.add("object")
    return HeapGraph(
        runtime=runtime,
        meta={"format": 1, "runtime": runtime, "births": False},
        strings=strings.table(),
        types=TypeTable(
            np.array([NO_OBJECT], np.uint32),
            np.array([builtins], np.uint32),
            np.array([name], np.uint32),
            np.array([TypeFlag.COLLECTED], np.uint8),
        ),
        addresses=(np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(16),
        type_ids=np.zeros(count, np.uint32),
        sizes=np.ones(count, np.uint32) if sizes is None else np.fromiter(sizes, np.uint32, count),
        refcounts=counts.astype(np.uint32),
        births=np.full(count, BIRTH_UNKNOWN, np.uint16),
        flags=np.full(count, ObjectFlag.TRACKED, np.uint8),
        sites=np.zeros(count, np.uint32),
        first_ref=first,
        ref_targets=targets,
        ref_kinds=np.full(len(targets), kind, np.uint8),
        ref_labels=np.zeros(len(targets), np.uint32),
        roots=Roots(
            np.full(len(held), RootKind.INTERPRETER, np.uint8),
            np.full(len(held), root_label, np.uint32),
            held,
            np.zeros(len(held), np.uint8),
        ),
    )


class _Strings:
    def __init__(self) -> None:
        self._index: dict[str, int] = {"": 0}

    def add(self, text: str) -> int:
        return self._index.setdefault(text, len(self._index))

    def table(self) -> StringTable:
        encoded = [text.encode() for text in self._index]
        return StringTable(b"".join(encoded), np.cumsum([len(part) for part in encoded]).astype(np.uint64))


@dataclass
class _Object:
    number: int
    attributes: dict[str, str] = field(default_factory=dict)
    type_name: str = "object"
    references: list[tuple[int, int, int]] = field(default_factory=list)


_SIMPLE_LABELS = {
    "?": Kind.UNNAMED,
    "{}": Kind.MEMBER,
    "~": Kind.WEAK,
    ".__dict__": Kind.DICT,
    "__class__": Kind.TYPE,
}
_WORD_LABELS = {
    "slot": Kind.SLOT,
    "local": Kind.LOCAL,
    "stack": Kind.STACK,
    "await": Kind.AWAIT,
    "context": Kind.CONTEXT,
    "machinery": Kind.MACHINERY,
    "frame": Kind.FRAME,
    "internal": Kind.INTERNAL,
    "ephemeron": Kind.EPHEMERON,
    "element": Kind.ELEMENT,
    "closure": Kind.CLOSURE,
    "int": Kind.KEY_INT,
    "key": Kind.KEY,
}
_ROOT_WORDS = {
    "module": RootKind.MODULE,
    "thread": RootKind.THREAD,
    "interpreter": RootKind.INTERPRETER,
    "static": RootKind.STATIC_TYPE,
}
_ARROW = re.compile(r"\s*(?:-\[(?P<own>.*?)\]->|=\[(?P<borrowed>.*?)\]=>|(?P<bare>->|=>))\s*")
_QUOTED_OR_LABEL = re.compile(r"""[-=]\[.*?\][-=]>|'[^'\n]*'|"[^"\n]*"|[;\n]""")


class _Drawing:
    def __init__(self) -> None:
        self.strings = _Strings()
        self.objects: dict[str, _Object] = {}
        self.type_flags: dict[str, int] = {}
        self.works_begun: dict[str, int] = {}
        self.roots: list[tuple[int, int, int, int]] = []

    def object(self, name: str) -> _Object:
        if not re.fullmatch(r"\w[\w.$#-]*", name):
            raise ValueError(f"not a name of an object: {name!r}")
        return self.objects.setdefault(name, _Object(len(self.objects)))

    def finish(self, runtime: str, meta: Mapping[str, Any]) -> DrawnHeap:
        objects, add = list(self.objects.values()), self.strings.add
        counts = [0] * len(objects)
        for one in objects:
            for target, kind, _ in one.references:
                counts[target] += not kind & BORROWED and kind != Kind.WEAK
        for _, _, target, flags in self.roots:
            counts[target] += not flags & RootFlag.BORROWED
        dated = any("birth" in one.attributes for one in objects)
        definers = {one.attributes["defines"]: one.number for one in objects if "defines" in one.attributes}
        names = dict.fromkeys([*(one.type_name for one in objects), *definers, *self.type_flags])
        type_rows = {name: row for row, name in enumerate(names)}
        split = [_split_type(name) for name in type_rows]
        references = [reference for one in objects for reference in one.references]
        targets, kinds, labels = zip(*references, strict=True) if references else ((), (), ())
        sizes = [int(one.attributes.get("size", "1")) for one in objects]
        sites = dict.fromkeys(one.attributes["site"] for one in objects if "site" in one.attributes)
        site_parts = [site.split(":") for site in sites]
        rows = {"": 0, **{site: row + 1 for row, site in enumerate(sites)}}
        roots = list(zip(*self.roots, strict=True)) or [(), (), (), ()]
        born_in = [one.attributes.get("work", "") for one in objects]
        works = dict.fromkeys(["", *born_in, *self.works_begun] if any(born_in) or self.works_begun else [])
        work_rows = {name: row for row, name in enumerate(works)}
        return DrawnHeap(
            runtime=runtime,
            meta={"format": 1, "runtime": runtime, "births": dated, "sites": bool(sites), **meta},
            types=TypeTable(
                np.array([definers.get(name, NO_OBJECT) for name in type_rows], np.uint32),
                np.array([add(module) for module, _ in split], np.uint32),
                np.array([add(name) for _, name in split], np.uint32),
                np.array([self.type_flags.get(name, _default_flags(name)) for name in type_rows], np.uint8),
            ),
            addresses=np.array([_address(name, one) for name, one in self.objects.items()], np.uint64),
            type_ids=np.array([type_rows[one.type_name] for one in objects], np.uint32),
            sizes=np.array(sizes, np.uint64 if max(sizes, default=0) >= 0xFFFFFFFF else np.uint32),
            refcounts=np.array([_count(one, counts[one.number]) for one in objects], np.uint32),
            births=np.array([_birth(one, dated=dated) for one in objects], np.uint16),
            flags=np.array(
                [_flags(ObjectFlag, one.attributes.get("flags", "tracked")) for one in objects], np.uint8
            ),
            sites=np.array([rows[one.attributes.get("site", "")] for one in objects], np.uint32),
            first_ref=np.cumsum([0, *(len(one.references) for one in objects)]).astype(np.uint64),
            ref_targets=np.array(targets, np.uint32),
            ref_kinds=np.array(kinds, np.uint8),
            ref_labels=np.array(labels, np.uint32),
            roots=Roots(
                np.array(roots[0], np.uint8),
                np.array(roots[1], np.uint32),
                np.array(roots[2], np.uint32),
                np.array(roots[3], np.uint8),
            ),
            names={one.number: add(one.attributes["name"]) for one in objects if "name" in one.attributes},
            locations={
                one.number: self._place(one.attributes["at"]) for one in objects if "at" in one.attributes
            },
            bounds={one.number: int(one.attributes["bound"]) for one in objects if "bound" in one.attributes},
            site_files=np.array([add(parts[0]) for parts in site_parts], np.uint32),
            site_lines=np.array([int(parts[1]) for parts in site_parts], np.uint32),
            site_functions=np.array([add(parts[2]) for parts in site_parts], np.uint32),
            works=np.array([work_rows[name] for name in born_in] if works else [], np.uint16),
            work_names=np.array([add(name) for name in works], np.uint32),
            works_begun=np.array([self.works_begun.get(name, 0) for name in works], np.uint64),
            numbers={name: one.number for name, one in self.objects.items()},
            # Last: every string of the columns above has been added by now.
            strings=self.strings.table(),
        )

    def _place(self, text: str) -> tuple[int, int]:
        file, _, line = text.rpartition(":")
        return self.strings.add(file), int(line)


def _statements(text: str) -> list[str]:
    """Pieces between `;` and newlines that are outside quotes and labels."""
    text = "\n".join("" if line.lstrip().startswith("#") else line for line in text.splitlines())
    pieces, start = [], 0
    for match in _QUOTED_OR_LABEL.finditer(text):
        if match.group() in ";\n":
            pieces.append(text[start : match.start()].strip())
            start = match.end()
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def _read_statement(drawing: _Drawing, statement: str) -> None:
    if _ARROW.search(statement):
        _read_references(drawing, statement)
    elif statement.startswith("type "):
        name, attributes = _attributes(statement.removeprefix("type "))
        drawing.type_flags[name] = _flags(TypeFlag, attributes.get("flags", "none"))
    elif statement.startswith("work "):
        name, attributes = _attributes(statement.removeprefix("work "))
        drawing.works_begun[name] = int(attributes.get("begun", "0"))
    else:
        name, colon, rest = statement.partition(":")
        one = drawing.object(name.strip())
        if colon:
            type_name, one.attributes = _attributes(rest)
            one.type_name = type_name or "object"


_KNOWN = {
    "size",
    "birth",
    "refcount",
    "flags",
    "name",
    "at",
    "bound",
    "addr",
    "site",
    "defines",
    "work",
    "begun",
}


def _attributes(text: str) -> tuple[str, dict[str, str]]:
    words = shlex.split(text)
    head = words.pop(0) if words and words[0].split("=")[0] not in _KNOWN else ""
    attributes = dict(word.partition("=")[::2] for word in words)
    if unknown := set(attributes) - _KNOWN:
        raise ValueError(f"unknown attributes {sorted(unknown)} in {text!r}")
    return head, attributes


def _read_references(drawing: _Drawing, statement: str) -> None:
    arrows = list(_ARROW.finditer(statement))
    ends = [arrow.start() for arrow in arrows[1:]] + [len(statement)]
    source_text = statement[: arrows[0].start()].strip()
    root = _root(source_text)
    sources = [] if root else [drawing.object(name.strip()) for name in source_text.split(",")]
    for position, (arrow, end) in enumerate(zip(arrows, ends, strict=True)):
        targets = {name.strip(): None for name in statement[arrow.end() : end].split(",")}
        borrowed = arrow["borrowed"] is not None or arrow["bare"] == "=>"
        if root and position == 0:
            kind, label, flags = root
            for name in targets:
                row = (kind, drawing.strings.add(label), drawing.object(name).number)
                drawing.roots.append((*row, flags | (RootFlag.BORROWED if borrowed else 0)))
        for source in sources:
            for name in targets:
                label = arrow["own"] or arrow["borrowed"] or f".{name}"
                reference_kind, value = _label(drawing, label.strip())
                kind_byte = reference_kind | (BORROWED if borrowed else 0)
                source.references.append((drawing.object(name).number, kind_byte, value))
        sources = [drawing.object(name) for name in targets]


def _root(text: str) -> tuple[int, str, int] | None:
    flags = RootFlag.OWN if text.startswith("own ") else RootFlag(0)
    text = text.removeprefix("own ").strip()
    if text == "root":
        return RootKind.INTERPRETER, "root", flags
    word, _, rest = text.partition(" ")
    if word not in _ROOT_WORDS or not rest.strip():
        return None
    label = f"thread '{rest.strip()}'" if word == "thread" else rest.strip()
    return _ROOT_WORDS[word], label, flags


def _label(drawing: _Drawing, text: str) -> tuple[int, int]:
    """(kind, label) as stored in a snapshot."""
    if text in _SIMPLE_LABELS:
        return _SIMPLE_LABELS[text], 0
    if text.isdigit():
        return Kind.INDEX, int(text)
    if text[0] in "'\"" and text[-1] == text[0] and len(text) > 1:
        return Kind.KEY_STR, drawing.strings.add(text[1:-1])
    if text[0] == "<" and text[-1] == ">":
        return Kind.KEY_OTHER, drawing.strings.add(text[1:-1])
    if text[0] == ".":
        return Kind.ATTRIBUTE, drawing.strings.add(text[1:])
    word, _, rest = text.partition(" ")
    if word not in _WORD_LABELS:
        raise ValueError(f"unknown label: [{text}]")
    kind = _WORD_LABELS[word]
    if kind == Kind.STACK:
        return kind, int(rest)
    return kind, drawing.strings.add(rest.strip("'\"") if kind == Kind.KEY else rest)


def _split_type(name: str) -> tuple[str, str]:
    """(module, qualified name); `mod:Outer.Inner` when the last dot does not separate them."""
    if ":" in name:
        module, _, rest = name.partition(":")
        return module, rest
    module, _, rest = name.rpartition(".")
    return module or "builtins", rest


def _default_flags(name: str) -> int:
    builtin = _split_type(name)[0] == "builtins"
    return TypeFlag.COLLECTED if builtin else TypeFlag.COLLECTED | TypeFlag.HEAP


def _flags(flag_type: type[ObjectFlag] | type[TypeFlag], text: str) -> int:
    return sum(flag_type[word.upper()] for word in text.split(",") if word != "none")


def _address(name: str, one: _Object) -> int:
    return (
        int(one.attributes["addr"], 0) if "addr" in one.attributes else (zlib.crc32(name.encode()) + 1) << 4
    )


def _count(one: _Object, explained: int) -> int:
    text = one.attributes.get("refcount", "+0")
    if text == "immortal":
        return IMMORTAL
    return explained + int(text) if text[0] in "+-" else int(text)


def _birth(one: _Object, *, dated: bool) -> int:
    text = one.attributes.get("birth", "0" if dated else "unknown")
    words = {"own": BIRTH_OWN, "waiting": BIRTH_WAITING, "unknown": BIRTH_UNKNOWN}
    return words[text] if text in words else int(text)
