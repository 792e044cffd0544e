"""What an object itself is called on a screen: text that leads back to it, and not to what holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leakscan.analysis.dialects.patterns import FIELDS, is_in_trie
from leakscan.analysis.dialects.segments import read_segments
from leakscan.analysis.dialects.segments_v8 import INTERNALS
from leakscan.analysis.dialects.slotnames import SlotNames
from leakscan.analysis.graph.modules import Modules
from leakscan.analysis.graph.refs import source_of
from leakscan.heap.kinds import NO_OBJECT, Kind, ObjectFlag

CLASS: Final = "class "
"""What stands before the name of a class that is meant itself, not its objects."""
_TYPE: Final = "type "
_DEEPEST: Final = 24


def known_as(names: SlotNames, modules: Modules, obj: int) -> str:
    """The slot that leads to it: `Workflow._runs`, `app.__dict__`, `class Workflow`, `f.__closure__`.

    A slot's pattern passes what a reader need not see; an object that is itself such a thing is told with it.
    """
    label = names.holder_label(obj)
    if names.is_known_itself(obj):
        is_class = bool(int(names.graph.flags[obj]) & ObjectFlag.TYPE)
        return CLASS + label.removeprefix(_TYPE) if is_class else label
    passed: list[int] = []
    while (ref := int(names.parent_ref[obj])) != NO_OBJECT and _is_passed(names, ref):
        passed.append(ref)
        obj = source_of(names.graph, ref)
        if len(passed) == _DEEPEST or names.is_known_itself(obj):
            break
    return label if not passed else _with_passed(names, modules, names.holder_label(obj), passed[::-1])


def _with_passed(names: SlotNames, modules: Modules, label: str, refs: Sequence[int]) -> str:
    for ref in refs:
        if names.graph.kind(ref) == Kind.KEY_STR:
            label += f"['{names.graph.label(ref)}']"
        else:
            label = slot_text(
                label, "".join(part.text for part in read_segments(names.graph, modules, [ref]))
            )
    return label


def slot_text(label: str, reading: str) -> str:
    """A reference of what is known as `label`: `Workflow._runs['run-1']`."""
    # A global of a module stands alone in a path, behind the module.
    is_name = reading.isidentifier() and reading != INTERNALS
    separator = "" if reading.startswith((".", "[", "{")) else "." if is_name else " "
    return f"{label.removeprefix(CLASS)}{separator}{reading}"


def _is_passed(names: SlotNames, ref: int) -> bool:
    """Whether the pattern of what this leads to would lead to its holder, or to its neighbour, as well."""
    kind, graph = names.graph.kind(ref), names.graph
    if graph.runtime == "v8":
        return names.steps.is_silent(ref)
    # An attribute `__dict__` is a descriptor of the class, not its namespace.
    return (
        (kind == Kind.KEY and not is_in_trie(graph, ref))
        or (kind == Kind.KEY_STR and graph.label(ref) in FIELDS)
        or (kind != Kind.CONTEXT and names.steps.is_silent(ref))
    )
