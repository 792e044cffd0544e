"""HeapGraph: the columns of one snapshot as numpy arrays, and what can be read off them directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leakscan.heap.kinds import KIND_MASK, NUMBER_LABELS, Kind, ObjectFlag, RootKind

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

_KINDS: Final = {int(kind): kind for kind in Kind}
"""Asked for each reference of each path: a call of the enumeration takes eight times as long."""


@dataclass(frozen=True, slots=True)
class StringTable:
    """Strings of a snapshot, decoded on demand. `ends[i]` is the end offset of string i."""

    blob: bytes | memoryview
    ends: U64

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        start = int(self.ends[index - 1]) if index else 0
        return bytes(self.blob[start : int(self.ends[index])]).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class TypeTable:
    """One row for each type. `objects[t]` is the object that is type t, or NO_OBJECT."""

    objects: U32
    modules: U32
    names: U32
    flags: U8

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Roots:
    """Where reachability starts; parallel arrays."""

    kinds: U8
    labels: U32
    targets: U32
    flags: U8

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in source code. `line` is 1-based, 0 when unknown."""

    file: str
    line: int


@dataclass(frozen=True)
class HeapGraph:
    """One snapshot: objects 0..n-1, references 0..m-1 in CSR order, roots, and names.

    Shapes: per-object columns have n items, `first_ref` has n + 1 (u64), per-reference columns m.
    `sizes` are shallow bytes; `births` are run numbers (see `kinds.BIRTH_*`), all
    BIRTH_UNKNOWN when the snapshot was taken without births. A V8 heap has node ids for `addresses` and
    no counts: `refcounts` are 0.
    """

    runtime: str
    meta: Mapping[str, Any]
    strings: StringTable
    types: TypeTable
    addresses: U64
    type_ids: U32
    sizes: U32 | U64
    refcounts: U32
    births: U16
    flags: U8
    sites: U32
    first_ref: U64
    ref_targets: U32
    ref_kinds: U8
    ref_labels: U32
    roots: Roots
    names: Mapping[int, int] = field(default_factory=dict)
    """object -> string"""
    locations: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """object -> (file string, line)"""
    bounds: Mapping[int, int] = field(default_factory=dict)
    """object -> visible bound (maxsize, maxlen)"""
    text_objects: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    """strings and byte strings whose next two are known (`heap.texts`), ascending"""
    text_lengths: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    text_hashes: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    """equal for equal texts of one process; of a V8 heap the number of the string"""
    text_values: Mapping[int, int] = field(default_factory=dict)
    """the first object of a text that occurs often -> what it says, a string (`capture --values`)"""
    script_places: U32 = field(default_factory=lambda: np.zeros((0, 4), np.uint32))
    """V8: rows of object, script (a string), line from 1, column from 0; as compiled, by object"""
    site_files: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    site_lines: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    site_functions: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    works: U16 = field(default_factory=lambda: np.zeros(0, np.uint16))
    """the work that each object was born in, a row of the next two; no items when works were not recorded"""
    work_names: U32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    works_begun: U64 = field(default_factory=lambda: np.zeros(0, np.uint64))
    """how many of it began since the baseline"""
    warnings: tuple[str, ...] = ()
    is_shallow: bool = False
    """The walk was ended before it had looked into all that it met: references of deeper objects, and what
    only they hold, are missing."""
    path: str = ""
    """The file it was read from, "" when drawn in memory."""

    @property
    def python_version(self) -> tuple[int, int]:
        """Of the interpreter, (0, 0) for V8 and where the snapshot does not say."""
        major, _, rest = str(self.meta.get("python", "")).partition(".")
        minor = rest.partition(".")[0]
        return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)

    @property
    def object_count(self) -> int:
        return len(self.type_ids)

    @property
    def reference_count(self) -> int:
        return len(self.ref_targets)

    def forget(self, *columns: str) -> None:
        """These fields are not needed for now: a graph that can read them again lets go of their memory."""

    @property
    def has_births(self) -> bool:
        return bool(self.meta.get("births", False))

    @cached_property
    def type_names(self) -> tuple[str, ...]:
        """Full dotted name of each type; builtins without their module."""
        names = []
        for row in range(len(self.types)):
            module = self.strings[int(self.types.modules[row])]
            name = self.strings[int(self.types.names[row])]
            names.append(name if module in ("", "builtins") else f"{module}.{name}")
        return tuple(names)

    def type_name(self, obj: int) -> str:
        return self.type_names[int(self.type_ids[obj])]

    def name_of(self, obj: int) -> str | None:
        """The object's own name (module, function, cell variable ...), None when it has none."""
        index = self.names.get(obj)
        return None if index is None else self.strings[index]

    def location_of(self, obj: int) -> Location | None:
        place = self.locations.get(obj)
        return None if place is None else Location(self.strings[place[0]], place[1])

    def references(self, obj: int) -> range:
        """Numbers of the references that start at `obj`."""
        return range(int(self.first_ref[obj]), int(self.first_ref[obj + 1]))

    def kind(self, ref: int) -> Kind:
        return _KINDS[int(self.ref_kinds[ref]) & KIND_MASK]

    def label(self, ref: int) -> str:
        """The bare label: a name, a key, or a number as text; "" where the kind has none."""
        value = int(self.ref_labels[ref])
        return str(value) if self.kind(ref) in NUMBER_LABELS else self.strings[value]

    def root_kind(self, root: int) -> RootKind:
        return RootKind(int(self.roots.kinds[root]))

    def root_label(self, root: int) -> str:
        return self.strings[int(self.roots.labels[root])]

    def sql(self, query: str) -> Any:
        """What a query in SQL asks of this heap: `leakscan.load(x).sql("SELECT ...")`, a QueryResult.

        Docs: how-to "Ask a heap in SQL". UsageError: the query is wrong, or DuckDB is not installed.
        """
        # By name: the heap knows nothing of answers, this is a door for who sits at a prompt.
        result = import_module("leakscan.answers.query.ask").of_graph(self).query(query)
        return result

    def is_own(self, obj: int) -> bool:
        """Whether the object belongs to leakscan itself."""
        return bool(int(self.flags[obj]) & ObjectFlag.OWN)
