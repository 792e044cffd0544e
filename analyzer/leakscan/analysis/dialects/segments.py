"""How the references of a path read: one segment for what a developer would write as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leakscan.analysis.dialects.patterns import FIELDS
from leakscan.analysis.dialects.segment import FORMS, VARIABLE, Segment, normalised, quoted_key
from leakscan.analysis.dialects.segments_v8 import read_v8_segments
from leakscan.analysis.graph.modules import Modules
from leakscan.analysis.graph.refs import source_of
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind

_BY_THREAD: Final = "values by thread"


def general_text(segments: Sequence[Segment]) -> str:
    """One text for segments that differ in their keys only: the key, what the keys share, or `[*]`."""
    first = segments[0]
    keys = {segment.key for segment in segments}
    if len(keys) == 1 and first.kind not in (Kind.INDEX, Kind.STACK):
        return first.text
    if not first.any_form:
        return first.name_text
    if len(keys) > 1 and first.kind == Kind.KEY_STR and (shared := _shared_parts(keys)):
        return first.form.format(quoted_key(shared))
    return first.any_form


def _shared_parts(keys: set[str]) -> str:
    """`run-*` for run-1, run-2 ...; "" when they share nothing telling."""
    patterns = {normalised(key) for key in keys}
    if len(patterns) == 1:
        shared = patterns.pop()
        return shared if any(character.isalpha() for character in shared) else ""
    least, greatest = min(keys), max(keys)
    length = next((at for at, (a, b) in enumerate(zip(least, greatest, strict=False)) if a != b), len(least))
    prefix = least[:length].rstrip("0123456789")
    # Half a word is chance: two names that both begin with "s" share nothing.
    return f"{prefix}*" if prefix and not prefix[-1].isalnum() else ""


def read_segments(graph: HeapGraph, modules: Modules, refs: Sequence[int]) -> tuple[Segment, ...]:
    """The references of a path as segments; `__dict__`, a closure's tuple and cells are folded away."""
    if graph.runtime == "v8":
        return read_v8_segments(graph, modules, refs)
    segments: list[Segment] = []
    position = 0
    while position < len(refs):
        length = _folded(graph, refs, position)
        segments.append(_segment(graph, modules, refs[position : position + length]))
        position += length
    return tuple(segments)


def _folded(graph: HeapGraph, refs: Sequence[int], at: int) -> int:
    """How many references from `at` on read as one."""
    left = len(refs) - at
    kind = graph.kind(refs[at])
    if kind == Kind.DICT and left > 1:
        return 2
    if kind == Kind.SLOT and left > 1 and graph.label(refs[at]) == "__closure__":
        return 3 if left > 2 and _is_cell(graph, refs[at + 1]) else 2
    if kind == Kind.LOCAL and left > 1 and _is_cell(graph, refs[at]):
        return 2
    if kind == Kind.SLOT:
        return _through_runtime(graph, refs, at)
    return 1


def _through_runtime(graph: HeapGraph, refs: Sequence[int], at: int) -> int:
    """Length of the way through what the runtime keeps thread locals and context variables in."""
    if graph.label(refs[at]) == _BY_THREAD:
        ahead = refs[at + 1 : at + 3]
        return 3 if len(ahead) == 2 and graph.kind(ahead[1]) == Kind.KEY_STR else 1
    end = at
    # A hash trie: how many nodes lie between depends on how many variables there are.
    while end < len(refs) and graph.type_name(int(graph.ref_targets[refs[end]])).startswith("hamt"):
        end += 1
    is_variable = end > at and end < len(refs) and graph.kind(refs[end]) == Kind.CONTEXT
    return end - at + 1 if is_variable else 1


def _is_cell(graph: HeapGraph, ref: int) -> bool:
    return graph.type_name(int(graph.ref_targets[ref])) == "cell"


def _segment(graph: HeapGraph, modules: Modules, refs: Sequence[int]) -> Segment:
    first, last = refs[0], refs[-1]
    target = int(graph.ref_targets[last])
    kind = graph.kind(first)
    source = source_of(graph, first)
    if graph.kind(last) == Kind.CONTEXT:
        return Segment(tuple(refs), target, Kind.CONTEXT, FORMS[Kind.CONTEXT], graph.label(last))
    if len(refs) > 1 and graph.label(first) == _BY_THREAD:
        return Segment(tuple(refs), target, kind, "thread local `{}`", graph.label(last))
    if len(refs) > 1 and kind == Kind.SLOT:
        cell = int(graph.ref_targets[refs[1]])
        return Segment(
            tuple(refs), target, Kind.CLOSURE, "closure `{}`", graph.name_of(cell) or graph.label(refs[1])
        )
    if kind == Kind.LOCAL:
        return Segment(tuple(refs), target, kind, FORMS[kind], graph.label(first))
    if kind == Kind.DICT and len(refs) > 1:
        kind = graph.kind(last)
        if kind not in (Kind.KEY_STR, Kind.ATTRIBUTE, Kind.KEY):
            source = source_of(graph, last)
            return _plain(graph, tuple(refs), target, kind, source)
        return _attribute(graph, tuple(refs), target, is_global=source in modules.rows)
    if source in modules.rows and kind in (Kind.KEY_STR, Kind.ATTRIBUTE):
        return _attribute(graph, tuple(refs), target, is_global=True)
    return _plain(graph, tuple(refs), target, kind, source)


def _plain(graph: HeapGraph, refs: tuple[int, ...], target: int, kind: Kind, source: int) -> Segment:
    if kind == Kind.UNNAMED:
        return Segment(refs, target, kind, "<unnamed in {}>", graph.type_name(source))
    key = "" if kind in (Kind.MEMBER, Kind.DICT, Kind.TYPE, Kind.WEAK) else graph.label(refs[-1])
    return Segment(refs, target, kind, FORMS[kind], key, VARIABLE.get(kind, ""))


def _attribute(graph: HeapGraph, refs: tuple[int, ...], target: int, *, is_global: bool) -> Segment:
    """An entry of a namespace reads the same whether its values lie inline or in a `__dict__`."""
    kind = graph.kind(refs[-1])
    if kind == Kind.KEY:
        return Segment(refs, target, kind, "name '{}'", graph.label(refs[-1]))
    if graph.label(refs[-1]) in FIELDS and len(refs) > 1:
        # The namespace itself reads as `.__dict__`; this is what a class has under that name.
        return Segment(refs, target, Kind.ATTRIBUTE, ".__dict__['{}']", graph.label(refs[-1]))
    return Segment(refs, target, Kind.ATTRIBUTE, "{}" if is_global else ".{}", graph.label(refs[-1]))
