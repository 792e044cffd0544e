"""The language of cuts: `Workflow._runs[*]` names references the way a developer would.

    pattern  = head step*, at least one reference in all
    head     = dotted name            a class (its instances and itself), a module, a function
             | module a.b             only the module; `module a.b:name` as well
             | type 'any text'        a type whose name is not a dotted name
             | context variable 'x' | context variable 'x_*' | thread local 'x' | root 'atexit callbacks'
    step     = .name                  attribute, slot, module global, class attribute
             | .name_*                all whose names read so, with any text for each *
             | ['key'] | [17] | [<Point>] | [*]     an entry of a container; all of them
             | {*}                    members of a set
             | closure 'x' | local 'x'      of a function; of a frame, generator or coroutine
             | key 'x' | value stack | <unnamed> | .get('x')
             V8: .get('key') | .get(17) | .get(*)   entries of a Map;  .has(*)  members of a Set
             | .on('chunk') | .on(*)       listeners of an emitter;  [Symbol(x)]  a property
             | .addEventListener('abort')  of an event target;  .then()  what waits for a promise
             | .register()  of a FinalizationRegistry
             | local [1] | local [*]       of a suspended function
             Node's timers[*], Node's immediates[*] are what `setTimeout` and its like have started
             Node's open Server[*], Node's ES modules[*] are what Node holds from C++
             require.cache['/app/cache.js'].exports     what CommonJS modules export

A dotted name may leave out leading modules: `Workflow` is every class of that name. What a reader
need not see (`__dict__`, the tuple and cell of a closure) is passed without being written.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from leakscan.analysis.dialects.handles_v8 import NODE_HEADS
from leakscan.analysis.dialects.slots_v8 import LISTED
from leakscan.errors import UsageError
from leakscan.heap.secrets import masked
from leakscan.heap.v8_names import WEAK_MAP_VALUE


class StepKind(Enum):
    """What one step of a written pattern asks of a reference."""

    NAME = "name"
    KEY = "key"
    NUMBER = "number"
    OTHER_KEY = "other key"
    ANY = "any"
    MEMBER = "member"
    CLOSURE = "closure"
    LOCAL = "local"
    KEY_OBJECT = "key object"
    STACK = "value stack"
    UNNAMED = "unnamed"
    ELEMENT = "element"


class HeadKind(Enum):
    """What a written pattern begins with."""

    NODE = "Node's"
    DOTTED = "dotted"
    MODULE = "module"
    TYPE = "type"
    CONTEXT = "context variable"
    THREAD_LOCAL = "thread local"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class PatternStep:
    """One reference; `text` is how it was written."""

    kind: StepKind
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern. `name` is the head's dotted name or quoted text."""

    text: str
    head: HeadKind
    name: str
    steps: tuple[PatternStep, ...]


_QUOTED: Final = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`)"
_NAME: Final = r"(?:(?:[^\W\d]|[$*])[\w$*]*|<\w+>|#[\w$]+)"
_ARGUMENT: Final = rf"(?:{_QUOTED}|\*|-?\d+|<[^<>]*>|Symbol\([^()]*\))"
_WEAK_VALUE: Final = re.escape(WEAK_MAP_VALUE)
HEAD: Final = re.compile(
    rf"(?P<word>type|context variable|thread local|root|module)\s+(?P<quoted>{_QUOTED})"
    rf"|(?P<node>{'|'.join(LISTED)}|{NODE_HEADS})"
    rf"|(?:(?P<module>module)\s+)?(?P<dotted>{_NAME}(?:\.{_NAME}(?![\w$]*\())*)(?::(?P<member>{_NAME}))?"
)
_STEP: Final = re.compile(
    rf"(?P<element>\.\w+\({_ARGUMENT}?\)|{_WEAK_VALUE})|\.(?P<name>{_NAME}|\[\[\w+\]\])|\[Symbol\((?P<symbol>[^()]*)\)\]|(?P<any>\[\*\])|\[(?P<number>-?\d+)\]"
    rf"|\[(?P<key>{_QUOTED})\]|\[<(?P<other>[^\]]*)>\]|(?P<member>\{{(?:\*|\.\.\.)?\}})"
    rf"|\s+(?P<word>closure|local|key)\s+(?P<quoted>{_QUOTED})|\s+(?P<stack>value stack|local \[(?:\*|\d+)\])"
    rf"|\s*(?P<unnamed><unnamed(?: in [^>]*)?>)"
)
_WORDS: Final = {"closure": StepKind.CLOSURE, "local": StepKind.LOCAL, "key": StepKind.KEY_OBJECT}


def quoted(text: str) -> str:
    """`text` as a pattern writes a key: single quotes, nothing that could move a cursor."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped) + "'"


def parse_pattern(text: str) -> Pattern:
    """The pattern that `text` writes. UsageError says where it stopped making sense."""
    head = HEAD.match(text)
    if head is None:
        raise _malformed(text, 0)
    steps = []
    if head["node"]:
        kind, name = HeadKind.NODE, head["node"]
    elif head["word"]:
        kind, name = HeadKind(head["word"]), _unquoted(head["quoted"])
    else:
        kind, name = (
            (HeadKind.MODULE if head["module"] or head["member"] else HeadKind.DOTTED),
            head["dotted"],
        )
        if head["member"]:
            steps.append(PatternStep(StepKind.NAME, head["member"], f":{head['member']}"))
    position = head.end()
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None or found.end() == position:
            raise _malformed(text, position)
        steps.append(_step(found))
        position = found.end()
    return Pattern(text, kind, name, tuple(steps))


def _step(found: re.Match[str]) -> PatternStep:
    text = found.group()
    if found["symbol"] is not None:
        return PatternStep(StepKind.NAME, f"<symbol {found['symbol']}>", text)
    if found["name"]:
        return PatternStep(StepKind.NAME, found["name"], text)
    if found["word"]:
        return PatternStep(_WORDS[found["word"]], _unquoted(found["quoted"]), text)
    if found["key"]:
        return PatternStep(StepKind.KEY, _unquoted(found["key"]), text)
    if found["number"]:
        return PatternStep(StepKind.NUMBER, found["number"], text)
    if found["other"] is not None:
        return PatternStep(StepKind.OTHER_KEY, found["other"], text)
    if found["element"]:
        return PatternStep(StepKind.ELEMENT, text, text)
    if found["member"]:
        return PatternStep(StepKind.MEMBER, "", text)
    if found["stack"]:
        # V8 numbers the locals of a suspended function, and keeps no names.
        return PatternStep(StepKind.STACK, "".join(filter(str.isdigit, text)), text)
    return PatternStep(StepKind.ANY if found["any"] else StepKind.UNNAMED, "", text)


def _unquoted(text: str) -> str:
    """The label as snapshots have it: a key that is a secret may be given whole or masked."""
    if text.startswith("`"):
        return masked(text[1:-1])
    try:
        return masked(str(ast.literal_eval(text)))
    except (ValueError, SyntaxError):
        return masked(text[1:-1])


def _malformed(text: str, position: int) -> UsageError:
    rest = text[position:]
    return UsageError(
        f"cannot read the cut {text!r} from {rest!r} on" if position else f"cannot read the cut {text!r}",
        hint="write it as a report does: Workflow._runs[*], Emitter.handlers['chunk'][*], app.bus.handlers",
    )
