"""How the references of a V8 heap read to a JavaScript developer: one segment for what the source says once.

`emitter.on('chunk')` is four references in the heap, `await` seven. Each rule below looks at the references
from one position on and says how many of them are one segment, and how that reads; the first that fits
counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from leakscan.analysis.dialects.segment import FORMS, VARIABLE, Segment
from leakscan.analysis.graph.modules import Modules
from leakscan.analysis.graph.refs import source_of
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import Kind
from leakscan.heap.v8_names import ACCESSORS, WEAK_MAP_VALUE

INTERNALS: Final = "internals"
"""How a scope or a backing store reads that a path ends with."""
_IDENTIFIER: Final = re.compile(r"#?[^\W\d][\w$]*|\$[\w$]*")
_SYMBOL: Final = re.compile(r"<symbol ?(.*)>", re.DOTALL)
_ACCESSOR: Final = re.compile(r"(get|set) (.+)", re.DOTALL)
_REACTIONS: Final = ("[[PromiseResult]]", "[[PromiseReactions]]")
_REACTION: Final = "system / PromiseReaction"
_IN_FRAME: Final = "AsyncContextFrame"
_SUSPENDED: Final = ("async function", "AsyncGenerator", "Generator")
_LIST_LINKS: Final = ("_idleNext", "_idlePrev", "head", "tail")
_TIMER_LISTS: Final = {"timerListMap": "Node's timers", "immediateQueue": "Node's immediates"}
_TIMER_ARGUMENTS: Final = {"_timerArgs": "setTimeout", "_argv": "setImmediate"}


def property_text(label: str) -> str:
    """A property as it is written after its object: `.runs`, `.#runs`, `['my-key']`, `[Symbol(tag)]`."""
    if symbol := _SYMBOL.fullmatch(label):
        return f"[Symbol({symbol[1]})]"
    return f".{label}" if _IDENTIFIER.fullmatch(label) else f"['{label}']"


@dataclass(frozen=True, slots=True)
class _Chain:
    """References of a path; `at` is where a rule looks, folded ones before it already passed."""

    graph: HeapGraph
    modules: Modules
    refs: Sequence[int]

    def kind(self, at: int) -> Kind | None:
        return self.graph.kind(self.refs[at]) if at < len(self.refs) else None

    def label(self, at: int) -> str:
        return self.graph.label(self.refs[at]) if at < len(self.refs) else ""

    def source(self, at: int) -> int:
        return source_of(self.graph, self.refs[at])

    def source_type(self, at: int) -> str:
        return self.graph.type_name(self.source(at))

    def target(self, at: int) -> str:
        """Type of what the reference leads to, "" beyond the end."""
        return self.graph.type_name(int(self.graph.ref_targets[self.refs[at]])) if at < len(self.refs) else ""

    def past_folded(self, at: int) -> int:
        """The next reference that says something: scopes and backing stores are passed through."""
        while at + 1 < len(self.refs) and (self.kind(at) == Kind.DICT or self._is_scope_of_bun(at)):
            at += 1
        return at

    def accessor(self, at: int) -> str:
        """`getter` or `setter`: a pair has first the one, then the other."""
        refs = [ref for ref in self.graph.references(self.source(at)) if self.graph.kind(ref) == Kind.DICT]
        return "setter" if self.refs[at] != refs[0] else "getter"

    def _is_scope_of_bun(self, at: int) -> bool:
        return not self.label(at) and self.target(at) == "system / JSLexicalEnvironment"


@dataclass(frozen=True, slots=True)
class _Read:
    """What a rule read: the references up to `end` are one segment."""

    end: int
    form: str
    key: str = ""
    any_form: str = ""


_Rule = Callable[[_Chain, int], _Read | None]


def read_v8_segments(graph: HeapGraph, modules: Modules, refs: Sequence[int]) -> tuple[Segment, ...]:
    """The references of a path as segments."""
    way = _Chain(graph, modules, refs)
    segments: list[Segment] = []
    start = 0
    while start < len(refs):
        at = way.past_folded(start)
        read = next((found for rule in _RULES if (found := rule(way, at)) is not None), None)
        if read is None:
            read = _plain(way, at)
        kind = graph.kind(refs[at])
        target = int(graph.ref_targets[refs[read.end - 1]])
        references = tuple(refs[start : read.end])
        segments.append(Segment(references, target, kind, read.form, read.key, read.any_form))
        start = read.end
    return tuple(segments)


def _timers(way: _Chain, at: int) -> _Read | None:
    """Node keeps timers in lists by duration, held by the scope of its timer functions."""
    begin = at
    if way.kind(at) == Kind.ATTRIBUTE and way.source(at) in way.modules.rows:
        begin = way.past_folded(at + 1) if at + 1 < len(way.refs) else at
    name = _TIMER_LISTS.get(way.label(begin)) if way.kind(begin) == Kind.CLOSURE else None
    if name is None:
        return None
    end = begin + 1
    while end < len(way.refs) and (
        way.target(end) in ("TimersList", "ImmediateList") or way.label(end) in _LIST_LINKS
    ):
        end += 1
    return _Read(end, name)


def _timer_callback(way: _Chain, at: int) -> _Read | None:
    if way.kind(at) != Kind.ATTRIBUTE:
        return None
    label = way.label(at)
    if label == "_onImmediate":
        return _Read(at + 1, "setImmediate callback")
    if label == "_onTimeout":
        return _Read(at + 1, f"{_timer_function(way, at)} callback")
    if label in _TIMER_ARGUMENTS and way.kind(at + 1) == Kind.INDEX:
        function = _timer_function(way, at) if label == "_timerArgs" else _TIMER_ARGUMENTS[label]
        return _Read(at + 2, f"{function} argument [{{}}]", way.label(at + 1))
    return None


def _timer_function(way: _Chain, at: int) -> str:
    """A timer that repeats has its period in `_repeat`, another null. A small period has no node."""
    for ref in way.graph.references(way.source(at)):
        if way.graph.kind(ref) == Kind.ATTRIBUTE and way.graph.label(ref) == "_repeat":
            target = way.graph.type_name(int(way.graph.ref_targets[ref]))
            return "setInterval" if target == "(number)" else "setTimeout"
    return "setInterval"


def _listener(way: _Chain, at: int) -> _Read | None:
    """`emitter._events.chunk` is the listener or an array of them; `once` puts a wrapper around it."""
    is_table = way.kind(at) == Kind.ATTRIBUTE and way.label(at) == "_events"
    if not is_table or way.kind(at + 1) != Kind.ATTRIBUTE:
        return None
    event, end = way.label(at + 1), at + 2
    if way.target(at + 1) == "Array" and way.kind(end) == Kind.INDEX:
        end += 1
    elif way.target(at + 1) == "Array":
        return _Read(end, _called("on", event) + " listeners", event)
    if way.target(end - 1) == "Function" and way.label(end) == "listener" and way.target(end) == "Function":
        return _Read(end + 1, _called("once", event), event)
    return _Read(end, _called("on", event), event)


def _called(method: str, event: str) -> str:
    symbol = _SYMBOL.fullmatch(event)
    if symbol is None:
        return f".{method}('{{}}')"
    text = symbol[1].replace("{", "{{").replace("}", "}}")
    return f".{method}(Symbol({text}))"


def _event_target(way: _Chain, at: int) -> _Read | None:
    """`EventTarget` keeps a Map from the type of event to a linked list of Listeners."""
    if way.label(at) != "<symbol kEvents>" or way.kind(at + 1) != Kind.KEY_STR:
        return None
    end = at + 2
    while way.label(end) == "next" and way.target(end) == "Listener":
        end += 1
    if way.label(end) in ("listener", "callback"):
        end += 1
    return _Read(end, ".addEventListener('{}')", way.label(at + 1))


def _reaction(way: _Chain, at: int) -> _Read | None:
    """What waits for a promise: an async function, a `then` callback, or the promise `then` gave."""
    if way.kind(at) != Kind.SLOT or way.label(at) not in _REACTIONS or way.target(at) != _REACTION:
        return None
    end = at + 1
    while way.target(end) == _REACTION and way.label(end) == "[[PromiseReaction]]":
        end += 1
    if end == len(way.refs):
        return _Read(end, "reaction")
    if way.target(end) == _IN_FRAME or "kResourceStore" in way.label(end):
        return None
    inner = way.past_folded(end + 1) if end + 1 < len(way.refs) else end
    if way.target(end) == "Function" and way.label(inner) == "extension" and way.target(inner) in _SUSPENDED:
        return _Read(inner + 1, "awaited by")
    return _Read(end + 1, ".then() promise" if way.target(end) == "Promise" else ".then()")


def _own_promise(way: _Chain, at: int) -> _Read | None:
    if way.kind(at) != Kind.UNNAMED or way.target(at) != "Promise":
        return None
    if way.source_type(at) in _SUSPENDED:
        return _Read(at + 1, "its promise")
    # A promise's resolving functions share a scope that has the promise in it.
    return _Read(at + 1, "resolves") if way.source_type(at) == "system / Context" else None


def _async_store(way: _Chain, at: int) -> _Read | None:
    """AsyncLocalStorage: a property of the resource, or since Node 24 a Map that is passed along."""
    if way.target(at) == _IN_FRAME and way.kind(at + 1) in (Kind.KEY_OTHER, Kind.KEY_STR):
        return _Read(at + 2, "AsyncLocalStorage store")
    is_store = way.kind(at) == Kind.ATTRIBUTE and way.label(at) == "<symbol kResourceStore>"
    return _Read(at + 1, "AsyncLocalStorage store") if is_store else None


def _registration(way: _Chain, at: int) -> _Read | None:
    if way.kind(at) != Kind.SLOT or way.label(at) != "[[Cells]]":
        return None
    end = at
    while way.target(end) == "system / WeakCell" and way.label(end + 1) == "[[Cells]]":
        end += 1
    if end == at:
        return _Read(at + 1, "cleanup callback") if way.target(at) == "Function" else None
    return _Read(end + 1, "held value of a registration")


def _bound(way: _Chain, at: int) -> _Read | None:
    if way.kind(at) == Kind.SLOT and way.label(at) == "[[BoundArgs]]" and way.kind(at + 1) == Kind.INDEX:
        return _Read(at + 2, "bound argument [{}]", way.label(at + 1))
    forms = {"[[BoundThis]]": "bound this", "[[BoundTargetFunction]]": "bound function"}
    form = forms.get(way.label(at)) if way.kind(at) == Kind.SLOT else None
    return None if form is None else _Read(at + 1, form)


def _collection(way: _Chain, at: int) -> _Read | None:
    """Entries of a Map by their keys, of a Set by themselves, of a WeakMap at their key."""
    match way.kind(at):
        case Kind.KEY_STR:
            return _Read(at + 1, ".get('{}')", way.label(at), ".get(*)")
        case Kind.KEY_INT:
            return _Read(at + 1, ".get({})", way.label(at), ".get(*)")
        case Kind.KEY_OTHER:
            return _Read(at + 1, ".get(<{}>)", way.label(at), ".get(*)")
        case Kind.KEY:
            is_text = way.target(at).endswith("string)")
            return _Read(at + 1, "key '{}'" if is_text else "key <{}>", way.label(at), "key [*]")
        case Kind.MEMBER:
            return _Read(at + 1, ".has(<{}>)", way.target(at), ".has(*)")
        case Kind.ELEMENT if way.label(at) == WEAK_MAP_VALUE:
            return _Read(at + 1, "value in a WeakMap")
        case _:
            return None


def _iterated(way: _Chain, at: int) -> _Read | None:
    is_iterator = way.kind(at) == Kind.UNNAMED and way.source_type(at).endswith("Iterator")
    return _Read(at + 1, "iterated") if is_iterator else None


def _property(way: _Chain, at: int) -> _Read | None:
    if way.kind(at) != Kind.ATTRIBUTE:
        return None
    label = way.label(at)
    if way.target(at) == ACCESSORS and way.kind(at + 1) == Kind.DICT:
        return _Read(at + 2, f"{way.accessor(at + 1)} `{{}}`", label)
    if accessor := _ACCESSOR.fullmatch(label):
        return _Read(at + 1, f"{accessor[1]}ter `{{}}`", accessor[2])
    if symbol := _SYMBOL.fullmatch(label):
        return _Read(at + 1, "[Symbol({})]", symbol[1])
    if not _IDENTIFIER.fullmatch(label):
        return _Read(at + 1, "['{}']", label)
    is_global = way.source(at) in way.modules.rows
    return _Read(at + 1, "{}" if is_global else ".{}", label)


def _plain(way: _Chain, at: int) -> _Read:
    kind, label = way.kind(at) or Kind.UNNAMED, way.label(at)
    if kind == Kind.UNNAMED or (kind == Kind.SLOT and not label):
        return _Read(at + 1, "<unnamed in {}>", way.source_type(at))
    if kind == Kind.STACK:
        # V8 does not keep the names of variables that no closure uses.
        return _Read(at + 1, "local [{}]", label, "local [*]")
    if kind == Kind.SLOT and label.startswith("[["):
        return _Read(at + 1, "{}", label)
    key = "" if kind in (Kind.DICT, Kind.TYPE, Kind.WEAK) else label
    form = INTERNALS if kind == Kind.DICT else FORMS[kind]
    return _Read(at + 1, form, key, VARIABLE.get(kind, ""))


_RULES: Final[tuple[_Rule, ...]] = (
    _timers,
    _timer_callback,
    _listener,
    _event_target,
    _reaction,
    _async_store,
    _own_promise,
    _registration,
    _bound,
    _collection,
    _iterated,
    _property,
)
