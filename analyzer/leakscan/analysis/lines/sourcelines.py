"""Where in the source a slot is made: `file:line`, or nothing.

A line is given only when the statement there makes or fills the slot. The heap says whose the slot is (the
very function, the class and its bases, the module) and what lies in it; the source, read and parsed but never
executed, says which statements bind that name. Where two places could be it, where names are bound by text
(`setattr`), where the source is not at hand or is not the one that ran, there is no line.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from leakscan.analysis.lines.bindings import Binding, Function, Tree, last_name, sets_by_text
from leakscan.analysis.lines.makes import makes
from leakscan.analysis.lines.slotfacts import Definition, NamedSlot, Owner, SlotReader
from leakscan.heap.graph import U32, HeapGraph, Location
from leakscan.heap.source_files import SourceText

ReadSource = Callable[[str], SourceText | None]
"""File name -> what is in it now, None when it cannot be read."""

_LIBRARY_FOLDERS: Final = ("/site-packages/", "/dist-packages/", "/lib/python3")


@dataclass(frozen=True)
class SourceLines:
    """Lines for the slots of one snapshot of CPython. `parent_ref`: the cheapest way to each object."""

    graph: HeapGraph
    parent_ref: U32
    read_source: ReadSource | None = None
    _trees: dict[str, Tree | None] = field(default_factory=dict)

    def line_of(self, ref: int) -> Location | None:
        """Where the slot of this reference is made: the container of an entry, or the name itself."""
        if self.read_source is None or self.graph.runtime == "v8":
            return None
        return self._first(self._reader.facts_of(ref))

    def line_of_object(self, obj: int) -> Location | None:
        """Where the slot that this object lies in is made."""
        if self.read_source is None or self.graph.runtime == "v8":
            return None
        return self._first(self._reader.facts_of_object(obj))

    @cached_property
    def _reader(self) -> SlotReader:
        return SlotReader(self.graph, self.parent_ref)

    def _first(self, facts: Iterable[NamedSlot]) -> Location | None:
        """The innermost slot's line; of one in a library's object, where the program makes that object."""
        fallback: Location | None = None
        for level, one in enumerate(facts):
            found = self._made_at(one, only_if_told=level > 0)
            if found is not None and not _is_library(found.file):
                return found
            if level:
                break
            fallback = found
            is_inside = all(_is_library(definition.file) for definition in one.definitions)
            # A function that is no method of its cache: `cached = lru_cache()(function)`.
            if not is_inside and not (one.owner is Owner.CACHE and found is None):
                break
        return fallback

    def _made_at(self, facts: NamedSlot, *, only_if_told: bool) -> Location | None:
        """The one place that makes this slot. `only_if_told`: the text must name the type as well."""
        is_vague = only_if_told or not facts.is_complete
        found: list[tuple[Definition, list[Binding]]] = []
        for definition in facts.definitions:
            tree = self._tree(definition.file)
            bound = None if tree is None else _bindings(tree, facts, definition)
            if tree is None or bound is None:
                is_vague = True
                continue
            possible = [each for each in bound if makes(each.value, facts.type_name) is not False]
            if possible:
                found.append((definition, possible))
            is_vague |= _is_bound_by_text(tree, facts, definition)
        if len(found) != 1:
            return None
        definition, possible = found[0]
        chosen = _chosen(possible)
        if chosen is None or chosen.is_import or (is_vague and not makes(chosen.value, facts.type_name)):
            return None
        return Location(definition.file, chosen.line)

    def _tree(self, file: str) -> Tree | None:
        """The parsed file, None when it cannot be read or is not the one that the heap's code came from."""
        if file not in self._trees:
            self._trees[file] = self._parsed(file)
        return self._trees[file]

    def _parsed(self, file: str) -> Tree | None:
        source = self.read_source(file) if self.read_source is not None else None
        if source is None or not self._is_as_it_was(source):
            return None
        try:
            tree = Tree(source.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        return tree if self._functions_in(file) <= tree.starts else None

    def _is_as_it_was(self, source: SourceText) -> bool:
        """Not written since the snapshot, and of the file system that the program saw."""
        taken, root = self.graph.meta.get("time_unix"), self.graph.meta.get("root")
        is_newer = isinstance(taken, (int, float)) and source.written_unix > taken
        is_elsewhere = bool(root) and bool(source.root) and root != source.root
        return not is_newer and not is_elsewhere

    def _functions_in(self, file: str) -> frozenset[tuple[str, int]]:
        """(qualified name, first line) of all code of this file that the heap has: witnesses of its text."""
        graph = self.graph
        found = set()
        for obj, line in self._code_by_file.get(file, ()):
            name = graph.name_of(obj) or ""
            last = name.rpartition(".")[2]
            # Lambdas, comprehensions and what the compiler makes of annotations are no `def`.
            if last and not last.startswith("<") and last != "__annotate__":
                found.add((name, line))
        return frozenset(found)

    @cached_property
    def _code_by_file(self) -> dict[str, list[tuple[int, int]]]:
        """Code objects with their first lines. Few of the files are asked for: names are read then."""
        graph = self.graph
        rows = {row for row, name in enumerate(graph.type_names) if name == "code"}
        found: dict[int, list[tuple[int, int]]] = {}
        for obj, (file, line) in graph.locations.items():
            if int(graph.type_ids[obj]) in rows:
                found.setdefault(file, []).append((obj, line))
        joined: dict[str, list[tuple[int, int]]] = {}
        for file, code in found.items():
            joined.setdefault(graph.strings[file], []).extend(code)
        return joined


def _bindings(tree: Tree, facts: NamedSlot, definition: Definition) -> list[Binding] | None:
    """What binds the slot's name, None when its owner is not in this file."""
    if facts.owner is Owner.MODULE or definition.qualname == "<module>":
        return tree.of_module(facts.name)
    if facts.owner in (Owner.CLASS, Owner.INSTANCE):
        owner = _class(tree, definition)
        if owner is None:
            return None
        of = tree.of_class if facts.owner is Owner.CLASS else tree.of_instance
        return of(owner, facts.name)
    function = tree.function_at(definition.qualname, definition.line)
    return None if function is None else _of_function(tree, facts, function)


def _of_function(tree: Tree, facts: NamedSlot, function: Function) -> list[Binding] | None:
    match facts.owner:
        case Owner.LOCAL:
            return tree.of_function(function, facts.name)
        case Owner.CLOSURE:
            return tree.of_closure(function, facts.name)
        case Owner.DEFAULT:
            return tree.default(function, facts.position, facts.name)
        case Owner.CACHE:
            return [
                Binding(decorator.lineno, None, is_home=True, is_sure=True)
                for decorator in function.decorator_list
                if "cache" in last_name(decorator)
            ]
        case _:
            # Of a method or an inner function there are several, by one name.
            is_global = function in tree.module.body
            return tree.of_attribute(function.name, facts.name) if is_global else None


def _class(tree: Tree, definition: Definition) -> ast.ClassDef | None:
    """The class, and of several with its name the one around the method that the heap knows."""
    found = tree.classes(definition.qualname)
    if len(found) > 1:
        found = [one for one in found if one.lineno <= definition.line <= (one.end_lineno or 0)]
    return found[0] if len(found) == 1 else None


def _is_bound_by_text(tree: Tree, facts: NamedSlot, definition: Definition) -> bool:
    if facts.owner is Owner.MODULE:
        return sets_by_text(tree.module)
    if facts.owner in (Owner.CLASS, Owner.INSTANCE):
        owner = _class(tree, definition)
        return owner is not None and sets_by_text(owner)
    return False


def _chosen(possible: Sequence[Binding]) -> Binding | None:
    """The binding that a reader should see, None when it may as well be another one.

    In the home of the slot the last that always runs makes it, unless one that may run comes after; later
    ones elsewhere only make it again. Without such a one it must be the only one.
    """
    homes = [each for each in possible if each.is_home]
    sure = [each for each in homes if each.is_sure]
    if sure:
        last = max(sure, key=lambda each: each.line)
        return None if any(each.line > last.line for each in homes) else last
    lines = {each.line for each in possible}
    return possible[0] if len(lines) == 1 else None


def _is_library(file: str) -> bool:
    return file.startswith("<frozen ") or any(folder in file for folder in _LIBRARY_FOLDERS)
