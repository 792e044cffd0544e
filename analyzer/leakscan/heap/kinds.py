"""Numbers of the snapshot file: kinds of reference and root, flags. See docs/format.md.

`analyzer/native/format.h` holds the same list for the recorder; a test compares the two.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final


class Kind(IntEnum):
    UNNAMED = 0
    ATTRIBUTE = 1
    SLOT = 2
    KEY_STR = 3
    KEY_INT = 4
    KEY_OTHER = 5
    KEY = 6
    INDEX = 7
    MEMBER = 8
    DICT = 9
    LOCAL = 10
    STACK = 11
    AWAIT = 12
    TYPE = 13
    WEAK = 14
    CONTEXT = 15
    MACHINERY = 16
    FRAME = 17
    INTERNAL = 18
    EPHEMERON = 19
    ELEMENT = 20
    CLOSURE = 21


BORROWED: Final = 0x80
"""Bit of `ref.kind`: the reference does not own a count."""
KIND_MASK: Final = 0x7F

NEVER_ON_A_PATH: Final = (Kind.WEAK, Kind.MACHINERY, Kind.INTERNAL, Kind.EPHEMERON)
NUMBER_LABELS: Final = (Kind.INDEX, Kind.STACK)


class RootKind(IntEnum):
    MODULE = 1
    THREAD = 2
    INTERPRETER = 3
    STATIC_TYPE = 4
    HELD_FROM_C = 5
    """Never in a file: computed from reference counts (CPython only)."""
    UNCOLLECTED_CYCLE = 6
    """Never in a file: nothing holds it, and an object in it hides what it holds from the collector."""


class RootFlag(IntFlag):
    BORROWED = 1
    OWN = 2


class ObjectFlag(IntFlag):
    TRACKED = 1
    FINALIZER = 2
    TYPE = 4
    UNREACHED_BLOCK = 8
    SYNTHETIC = 16
    UNREADABLE = 32
    OWN = 64


class TypeFlag(IntFlag):
    HEAP = 1
    COLLECTED = 2
    SYNTHETIC = 4
    FINALIZER = 8


BIRTH_BASELINE: Final = 0
BIRTH_WAITING: Final = 0xFFFD
"""Born while leakscan waited: before run 1, or while work in flight came to rest. New, of no run."""
BIRTH_OWN: Final = 0xFFFE
BIRTH_UNKNOWN: Final = 0xFFFF
NO_OBJECT: Final = 0xFFFFFFFF
IMMORTAL: Final = 0xFFFFFFFF
