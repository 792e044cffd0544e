"""From what a person points at to objects: a pattern, a type, `#17`, or a line pasted from a screen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.analysis.dialects.nearest import nearest_patterns
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.analysis.graph.refs import objects_named, sources_of, strings_equal
from leakscan.analysis.objects.known_as import CLASS
from leakscan.analysis.type_filter import is_named, types_near
from leakscan.errors import UsageError
from leakscan.heap.census import V8_INTERNALS, row_names
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import BIRTH_UNKNOWN, KIND_MASK, NO_OBJECT, Kind, ObjectFlag, RootKind

_NUMBER: Final = re.compile(r"#?(\d+)")
_ROOT: Final = re.compile(r"(?:type|module|static type) '([^']+)'")
_DESCRIPTORS: Final = ("member_descriptor", "getset_descriptor")
_STEP_TYPE: Final = re.compile(r": (?:[^\s:'\"\[\]]+)(?: [^'\"\[\]]*)?$")
_TO_CUT: Final = ("To free", "Held by")


def find_objects(graph: HeapGraph, text: str) -> U32:
    """The objects that `text` means, ascending.

    `#17` is the object with that number; a pattern leads to what its references lead to; a type, a class or a
    module by its name, to its objects or itself. A line of a report is understood without what stands around
    the pattern. UsageError: nothing is meant, with the nearest that is there.
    """
    asked = pasted(text)
    if number := _NUMBER.fullmatch(asked):
        return _numbered(graph, int(number.group(1)))
    if asked.startswith(CLASS) and len(classes := _classes(graph, asked.removeprefix(CLASS))):
        return classes
    try:
        pattern = parse_pattern(asked)
        matched = match_pattern(graph, pattern)
    except UsageError:
        if len(found := _of_name(graph, asked)):
            return found
        raise
    refs = matched.refs
    # An entry is its value; its key is meant where there is nothing else.
    is_key = (graph.ref_kinds[refs] & np.uint8(KIND_MASK)) == Kind.KEY
    refs = refs if is_key.all() else refs[~is_key]
    found = np.unique(np.concatenate((graph.ref_targets[refs], graph.roots.targets[matched.roots])))
    found = _without_descriptors(graph, found.astype(np.uint32))
    if not len(found):
        found = _of_name(graph, asked)
    if not len(found):
        near = nearest_patterns(graph, pattern, matched, ()) or types_near(graph, asked)
        raise UsageError(
            f"{text!r} leads to nothing in the snapshot",
            hint="nearest: " + ", ".join(near) if near else "a pattern as in a report, a type, or #NUMBER",
        )
    return found


def pasted(text: str) -> str:
    """The pattern in a line of a screen: of a path, of a holder, of a cut, of "also held by"."""
    asked = " ".join(row.strip() for row in text.strip().splitlines())
    for words in _TO_CUT:
        if asked.startswith(words):
            asked = re.sub(r"^(Held by|To free .*?cut(?: both:| these \d+:)?)\s+", "", asked)
    asked = re.split(r"\s{2,}", asked)[0]
    asked = re.sub(r"\s+\(\w[^()]*, grew .*\)$", "", asked)
    if " > " in asked:
        return _of_sentence(asked)
    return asked.removeprefix("module ") if asked.startswith("module ") and "'" not in asked else asked


def _of_sentence(text: str) -> str:
    """`module app > bus: Emitter > .handlers['chunk'][*]` as the pattern `app.bus.handlers['chunk'][*]`."""
    root, *steps = text.split(" > ")
    pattern = root.removeprefix("module ")
    for step in steps:
        bare = _STEP_TYPE.sub("", step.strip())
        if bare.startswith((".", "[", "{")):
            pattern += bare
        elif bare.startswith(("closure ", "local ", "value stack ")):
            pattern += " " + bare
        else:
            pattern += "." + bare
    return pattern


def _numbered(graph: HeapGraph, number: int) -> U32:
    if number >= graph.object_count:
        raise UsageError(
            f"there is no object #{number}", hint=f"the snapshot has #0 to #{graph.object_count - 1}"
        )
    return np.array([number], np.uint32)


def _classes(graph: HeapGraph, name: str) -> U32:
    """The classes that are called so, themselves and not their objects."""
    name = name[1:-1] if name[:1] == name[-1:] == "'" else name
    rows = [row for row, full in enumerate(graph.type_names) if is_named(full, name)]
    of_rows = graph.types.objects[rows] if rows else np.zeros(0, np.uint32)
    called = objects_named(graph, strings_equal(graph.strings, name))
    is_type = (graph.flags[called] & np.uint8(ObjectFlag.TYPE)) != 0
    return np.union1d(of_rows[of_rows != NO_OBJECT], called[is_type]).astype(np.uint32)


def _of_name(graph: HeapGraph, asked: str) -> U32:
    """A type, a class or a module; in the quotes of a root's name, too; or what is called so itself."""
    quoted = _ROOT.fullmatch(asked)
    found = _of_type(graph, quoted.group(1) if quoted else asked)
    if len(found) or quoted:
        return found
    called = objects_named(graph, strings_equal(graph.strings, asked))
    is_own = (graph.flags[called] & np.uint8(ObjectFlag.OWN)) != 0
    return np.asarray(called[~is_own], np.uint32)


def _of_type(graph: HeapGraph, name: str) -> U32:
    # V8's own types are told as one, which has no end to be named by.
    names = row_names(graph) if name == V8_INTERNALS else graph.type_names
    rows = [row for row, full in enumerate(names) if is_named(full, name)]
    found = np.isin(graph.type_ids, rows) & ((graph.flags & np.uint8(ObjectFlag.OWN)) == 0)
    modules = [
        int(graph.roots.targets[row])
        for row in np.flatnonzero(graph.roots.kinds == RootKind.MODULE).tolist()
        if graph.root_label(row) == name
    ]
    objects = np.flatnonzero(found).astype(np.uint32)
    return np.unique(np.concatenate((objects, np.array(modules, np.uint32))))


def _without_descriptors(graph: HeapGraph, objects: U32) -> U32:
    # A class with slots has a descriptor under the same name as its instances' values.
    rows = [row for row, name in enumerate(graph.type_names) if name in _DESCRIPTORS]
    is_descriptor = np.isin(graph.type_ids[objects], rows)
    return objects if is_descriptor.all() else objects[~is_descriptor]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; "" and None do not narrow. `attribute` is a name or a key that it holds."""

    type_name: str = ""
    attribute: str = ""
    least_bytes: int = 0
    born_in: int | None = None


def search(graph: HeapGraph, asked: Search, *, retained: np.typing.NDArray[np.uint64]) -> U32:
    """The objects that fit, ascending. `least_bytes` is of what they retain; `type_name` may be a part."""
    fits = (graph.flags & np.uint8(ObjectFlag.OWN)) == 0
    if asked.type_name:
        wanted = asked.type_name.casefold()
        rows = np.array([wanted in full.casefold() for full in graph.type_names], np.bool_)
        fits &= rows[graph.type_ids] if len(rows) else False
    if asked.born_in is not None:
        fits &= (graph.births == asked.born_in) & (graph.births != BIRTH_UNKNOWN)
    if asked.least_bytes:
        fits &= retained[: graph.object_count] >= asked.least_bytes
    if asked.attribute:
        has = np.zeros(graph.object_count, np.bool_)
        strings = strings_equal(graph.strings, asked.attribute)
        refs = np.flatnonzero(np.isin(graph.ref_labels, strings))
        has[sources_of(graph, refs.astype(np.uint32))] = True
        # A name in a `__dict__` is an attribute of what owns it.
        is_namespace = (graph.ref_kinds & np.uint8(KIND_MASK)) == Kind.DICT
        owners = np.flatnonzero(has[graph.ref_targets] & is_namespace).astype(np.uint32)
        has[sources_of(graph, owners)] = True
        fits &= has
    return np.flatnonzero(fits).astype(np.uint32)
