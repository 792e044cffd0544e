"""What the names in a V8 snapshot mean: the policy that the native builder applies.

Checked against snapshots of Node 18 to 26. A name that is not here is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from leakscan.heap.kinds import Kind, RootKind


class EdgeType(IntEnum):
    """Numbers of v8_build.h; those of the file are translated by name."""

    CONTEXT = 0
    ELEMENT = 1
    PROPERTY = 2
    INTERNAL = 3
    HIDDEN = 4
    SHORTCUT = 5
    WEAK = 6


EDGE_TYPES: Final[Mapping[str, EdgeType]] = {kind.name.lower(): kind for kind in EdgeType}
NUMBERED_EDGES: Final = ("element", "hidden")


class NodeClass(IntEnum):
    """Numbers of v8_build.h."""

    ORDINARY = 0
    ENGINE = 1
    SYNTHETIC = 2
    BOOKKEEPING = 3
    DUPLICATED = 4
    BACKING = 5


CLASS_OF_TYPE: Final = {
    "code": NodeClass.ENGINE,
    "object shape": NodeClass.ENGINE,
    "synthetic": NodeClass.SYNTHETIC,
}
"""By type of node; the others are ordinary unless their name says otherwise."""

CLASS_OF_NAME: Final = {
    "system / Map*": NodeClass.ENGINE,
    "system / DescriptorArray*": NodeClass.ENGINE,
    "system / TransitionArray*": NodeClass.ENGINE,
    "system / FeedbackVector*": NodeClass.ENGINE,
    "system / FeedbackCell*": NodeClass.ENGINE,
    "system / AllocationSite*": NodeClass.ENGINE,
    "system / AllocationMemento*": NodeClass.ENGINE,
    "system / PrototypeInfo*": NodeClass.ENGINE,
    "system / ScopeInfo*": NodeClass.ENGINE,
    "system / SharedFunctionInfo*": NodeClass.ENGINE,
    "system / BytecodeArray*": NodeClass.ENGINE,
    "system / BytecodeWrapper*": NodeClass.ENGINE,
    "system / CodeWrapper*": NodeClass.ENGINE,
    # The global object lists its properties itself, but for those that native code computes.
    "system / PropertyCell*": NodeClass.DUPLICATED,
    # Lists of everything that must be told when the environment ends; the objects in them may die.
    "Node / CleanupQueue": NodeClass.BOOKKEEPING,
    "Node / BaseObjectList": NodeClass.BOOKKEEPING,
    "Node / CleanupHookCallback": NodeClass.BOOKKEEPING,
}
"""By name of a node that is hidden, native or an object; `*` stands for any ending: newer versions of V8
append what the structure is of."""


def is_machinery(type_name: str) -> bool:
    """Whether the engine makes objects of this type when it likes: code, hidden classes, feedback, roots.

    What the program makes by running (scopes, tables, reactions of promises) is none of it.
    """
    return type_name in ("(compiled code)", "(object shape)", "(synthetic)") or any(
        type_name.startswith(name.removesuffix("*")) for name in CLASS_OF_NAME
    )


NAMED_TYPES: Final = ("object", "native", "hidden", "wasm object")
"""Types of node whose name is the name of a class; the others are shown under the type's own name."""
CLASS_OF_NAME_TYPES: Final = ("object", "native", "hidden")
BACKING_TYPES: Final = ("hidden", "array")
STRING_TYPES: Final = ("string", "concatenated string", "sliced string")
TYPE_NAMES: Final = {"closure": "Function", "regexp": "RegExp", "code": "(compiled code)"}
"""As DevTools shows them; any other type is its own name in parentheses."""
ENGINE_PREFIXES: Final = ("system / *", "Node / *")
EXTERNAL_STRING: Final = "system / ExternalStringData"
DETACHED: Final = 2
PROXY: Final = "system / JSProxy"
ACCESSORS: Final = "system / AccessorPair"
"""What a property with a getter or setter leads to."""
OWN_TYPES: Final = ("(prototype)", "async function")
"""Types that leakscan tells apart, in the order of their rows."""
CONTEXT: Final = "system / Context*"
MODULE: Final = "system / SourceTextModule"
SYNTHETIC_MODULE: Final = "system / SyntheticModule"
"""What an `import` of CommonJS or JSON is made into: it has exports and no code."""
CELL: Final = "system / Cell"
NATIVE_CONTEXT: Final = "system / NativeContext*"
ENGINE_TYPES: Final = ("code", "object shape", "array", "synthetic", "hidden")

GENERATOR_FUNCTION: Final = "[[GeneratorFunction]]"

INTERNAL_EDGES: Final[Mapping[str, tuple[Kind, str | None]]] = {
    # Folded like `__dict__`: the next reference carries the name.
    "elements": (Kind.DICT, None),
    "properties": (Kind.DICT, None),
    "table": (Kind.DICT, None),
    "global_object": (Kind.DICT, None),
    "context": (Kind.DICT, None),
    "previous": (Kind.DICT, None),
    "parameters_and_registers": (Kind.DICT, None),
    "receiver": (Kind.LOCAL, "this"),
    "bound_this": (Kind.SLOT, "[[BoundThis]]"),
    "bound_function": (Kind.SLOT, "[[BoundTargetFunction]]"),
    "bindings": (Kind.SLOT, "[[BoundArgs]]"),
    "reactions_or_result": (Kind.SLOT, "[[PromiseResult]]"),
    "reactions": (Kind.SLOT, "[[PromiseReactions]]"),
    "result": (Kind.SLOT, "[[PromiseResult]]"),
    "function": (Kind.SLOT, GENERATOR_FUNCTION),
    "backing_store": (Kind.SLOT, "[[ArrayBufferData]]"),
    "target": (Kind.SLOT, "[[Target]]"),
    "handler": (Kind.SLOT, "[[Handler]]"),
    "getter": (Kind.DICT, None),
    "setter": (Kind.DICT, None),
    "map": (Kind.INTERNAL, None),
    "code": (Kind.INTERNAL, None),
    "shared": (Kind.INTERNAL, None),
    "feedback_cell": (Kind.INTERNAL, None),
    "initial_map": (Kind.INTERNAL, None),
    "native_context": (Kind.INTERNAL, None),
    "scope_info": (Kind.INTERNAL, None),
    "constructor_or_back_pointer": (Kind.INTERNAL, None),
}
"""Kind and label of an internal edge by its name; SLOT and its own name for the others."""

HIDDEN_EDGES: Final = {
    "system / PromiseReaction": "[[PromiseReaction]]",
    "system / PromiseCapability": "[[PromiseCapability]]",
    MODULE: "[[Module]]",
    "system / JSProxy": "[[Proxy]]",
    "FinalizationRegistry": "[[Cells]]",
    "system / WeakCell": "[[Cells]]",
}
"""Label of the numbered edges of a node, by its name; the others are unnamed."""

ARRAY: Final = "(array)"
STORES: Final = (ARRAY, "system / PropertyArray")
"""Types of what V8 keeps the properties and items of an object in."""
STACK_ROOTS: Final = "(Stack roots)"
RUNNING: Final = "running {}()"
"""Label of what lies in the frame of a running function."""
ROOT_KINDS: Final[Mapping[str, RootKind]] = {
    "": RootKind.MODULE,
    STACK_ROOTS: RootKind.THREAD,
    "(Handle scope)": RootKind.THREAD,
    "(Thread manager)": RootKind.THREAD,
    "(Builtins)": RootKind.STATIC_TYPE,
    "(Internalized strings)": RootKind.STATIC_TYPE,
    "(External strings)": RootKind.STATIC_TYPE,
    "(Read-only roots)": RootKind.STATIC_TYPE,
    "(Strong roots)": RootKind.STATIC_TYPE,
    "(Startup object cache)": RootKind.STATIC_TYPE,
    "(Compilation cache)": RootKind.STATIC_TYPE,
    "(Shareable object cache)": RootKind.STATIC_TYPE,
}
"""By name of the synthetic node; interpreter state for the others. The nameless one is the root of all
and refers to the global objects."""

MARKS: Final = ("table", "elements", "properties", "parameters_and_registers", "__proto__", "scope_info")
"""Names of edges that the native builder treats in its own way, in its order."""
SCRIPT_EDGES: Final = ("script", "script_or_debug_info", "raw_script")
INTERNAL_SCRIPTS: Final = ("node:", "internal/", "deno:", "ext:", "bun:", "electron/")
"""Beginnings of the names of scripts that belong to the runtime."""

NUMBER_KEY: Final = "number"
WEAK_MAP_VALUE: Final = "[value in a WeakMap]"
GLOBAL: Final = "globalThis"


def is_of_stack(label: str) -> bool:
    """Whether a root with this label is a value of a running function."""
    begin, end = RUNNING.split("{}")
    return label == STACK_ROOTS or (label.startswith(begin) and label.endswith(end))
