"""Numbers of the snapshot file: kinds of reference and root, flags. See docs/format.md.

`analyzer/native/format.h` holds the same list for the recorder; a test compares the two.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final


class Kind(IntEnum):
    """How a reference is named; its label is a string of the snapshot, or a number (NUMBER_LABELS)."""

    UNNAMED = 0
    """no name is known"""
    ATTRIBUTE = 1
    """of an instance, in inline values: no `__dict__` exists"""
    SLOT = 2
    """`__slots__`, a C member, a field of a known C struct"""
    KEY_STR = 3
    """the value in a dict under a str key"""
    KEY_INT = 4
    """the value under an int key, as decimal text"""
    KEY_OTHER = 5
    """the value under another key, by the name of its type"""
    KEY = 6
    """the key object itself"""
    INDEX = 7
    """of a list, tuple, deque, array of objects"""
    MEMBER = 8
    """of a set"""
    DICT = 9
    """`__dict__`"""
    LOCAL = 10
    """a local, cell or free variable of a frame"""
    STACK = 11
    """the value stack of a frame"""
    AWAIT = 12
    """what a suspended frame waits for"""
    TYPE = 13
    """`__class__`"""
    WEAK = 14
    """a weak reference: never carries a path"""
    CONTEXT = 15
    """the value of a context variable"""
    MACHINERY = 16
    """`__mro__`, `__subclasses__`, type caches: never carries a path"""
    FRAME = 17
    """a frame to its caller's, or to its function and code"""
    INTERNAL = 18
    """engine internals of V8: never carries a path"""
    EPHEMERON = 19
    """the value of a weak map's pair: alive while key and table are"""
    ELEMENT = 20
    """a V8 property or element that is no attribute"""
    CLOSURE = 21
    """a variable of a V8 context"""


BORROWED: Final = 0x80
"""Bit of `ref.kind`: the reference does not own a count."""
KIND_MASK: Final = 0x7F

NUMBER_LABELS: Final = (Kind.INDEX, Kind.STACK)


class RootKind(IntEnum):
    """Where reachability starts."""

    MODULE = 1
    THREAD = 2
    INTERPRETER = 3
    STATIC_TYPE = 4
    HELD_FROM_C = 5
    """Never in a file: computed from reference counts (CPython only)."""
    UNCOLLECTED_CYCLE = 6
    """Never in a file: nothing holds it, and an object in it hides what it holds from the collector."""


class RootFlag(IntFlag):
    """What is said of a root."""

    BORROWED = 1
    """the root does not own a count of its target"""
    OWN = 2
    """leakscan's own"""


class ObjectFlag(IntFlag):
    """What is said of an object."""

    TRACKED = 1
    """the collector has it on its lists"""
    FINALIZER = 2
    """it has a finalizer of its own"""
    TYPE = 4
    """it is a type"""
    UNREACHED_BLOCK = 8
    """a living block that no reference leads to, read as an object"""
    SYNTHETIC = 16
    """made by leakscan or the engine, not by the program"""
    UNREADABLE = 32
    """a fault while it was read: its references are missing"""
    OWN = 64
    """leakscan's own"""
    WAITED_FOR = 128
    """a lock of `_thread` or a `SimpleQueue` that a thread waits for (3.14 and later)"""


class TypeFlag(IntFlag):
    """What is said of a type."""

    HEAP = 1
    """made at run time"""
    COLLECTED = 2
    """its instances are seen by the collector"""
    SYNTHETIC = 4
    """the engine's own, not the program's"""
    FINALIZER = 8
    """its instances have a finalizer"""


BIRTH_BASELINE: Final = 0
BIRTH_WAITING: Final = 0xFFFD
"""Born while leakscan waited: before run 1, or while work in flight came to rest. New, of no run."""
BIRTH_OWN: Final = 0xFFFE
BIRTH_UNKNOWN: Final = 0xFFFF
NO_OBJECT: Final = 0xFFFFFFFF
IMMORTAL: Final = 0xFFFFFFFF
