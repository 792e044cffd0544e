"""From the columns of a V8 snapshot to a HeapGraph: types, roots, places, and which edges hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leakscan import _native
from leakscan.heap import v8_names as names
from leakscan.heap.graph import U8, U32, U64, HeapGraph, Roots, StringTable, TypeTable
from leakscan.heap.kinds import BIRTH_UNKNOWN, NO_OBJECT, Kind, ObjectFlag, RootKind, TypeFlag
from leakscan.heap.sparse import SparseColumn, SparsePlaces
from leakscan.heap.v8 import RawSnapshot

_NO_STRING: Final = 0xFFFFFFFF
_NO_U8: Final[U8] = np.zeros(0, np.uint8)
_NO_U32: Final[U32] = np.zeros(0, np.uint32)
SIZES_NOTE: Final = "self sizes; those of backing stores are counted with their one owner, as DevTools does"


def graph_of(raw: RawSnapshot) -> HeapGraph:
    """The heap in `raw`, whose arrays it takes over: node i becomes object i.

    References out of synthetic nodes become roots. `addresses` are node ids; `refcounts` are 0.
    """
    strings = _Strings(raw)
    first: U64 = np.empty(len(raw.node_types) + 1, np.uint64)
    _native.prefix_sum(raw.node_edges, first)
    _translate(raw.edge_types, raw.edge_type_names, names.EDGE_TYPES, int(names.EdgeType.HIDDEN))
    classes = _classes(raw, strings)
    sizes = _owned_sizes(raw, strings, first)
    references, sources, targets = _build(raw, strings, first, classes)
    scripts = _Scripts(raw, strings, references)
    types, type_ids = _types(raw, strings, scripts)
    roots = _roots(raw, strings, sources, targets)
    return HeapGraph(
        runtime="v8",
        meta=_meta(raw),
        types=types,
        addresses=raw.node_ids,
        type_ids=type_ids,
        sizes=sizes,
        refcounts=np.zeros(len(type_ids), np.uint32),
        births=np.full(len(type_ids), BIRTH_UNKNOWN, np.uint16),
        flags=_flags(types, type_ids),
        sites=np.zeros(len(type_ids), np.uint32),
        first_ref=references.first,
        ref_targets=references.targets,
        ref_kinds=references.kinds,
        ref_labels=references.labels,
        roots=roots,
        names=_names(raw, strings, references),
        locations=scripts.places(),
        path=raw.name,
        # Last: every label of the columns above has been added by now.
        strings=strings.table(),
    )


class _Strings:
    """The strings of the file, string 0 made empty, and those that leakscan adds."""

    def __init__(self, raw: RawSnapshot) -> None:
        self.bytes, self.ends = raw.string_bytes, raw.string_ends
        self._added: dict[str, int] = {}
        if len(self.ends) and self.ends[0]:
            self._empty_first(raw)
        pairs = _native.v8_find_strings(self.bytes, self.ends, _WANTED)
        self._found: dict[str, list[int]] = {name: [] for name in _WANTED}
        for string, name in pairs:
            self._found[_WANTED[name]].append(string)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        start = int(self.ends[index - 1]) if index else 0
        return bytes(self.bytes[start : int(self.ends[index])]).decode("utf-8", "replace")

    def all(self, name: str) -> list[int]:
        """Indexes of the strings that match a name of `v8_names`."""
        return self._found[name]

    def one(self, name: str) -> int:
        return next(iter(self.all(name)), _NO_STRING)

    def add(self, text: str) -> int:
        return self._added.setdefault(text, len(self.ends) + len(self._added))

    def table(self) -> StringTable:
        encoded = [text.encode("utf-8", "replace") for text in self._added]
        start = int(self.ends[-1]) if len(self.ends) else 0
        more = np.cumsum([len(part) for part in encoded], dtype=np.uint64) + np.uint64(start)
        blob = np.concatenate([self.bytes, np.frombuffer(b"".join(encoded), np.uint8)])
        return StringTable(blob.data, np.concatenate([self.ends, more]))

    def _empty_first(self, raw: RawSnapshot) -> None:
        """V8 puts a dummy there, which nothing uses; another writer's first string is moved to the end."""
        first = self[0]
        length = self.ends[0]
        self.bytes = self.bytes[int(length) :]
        self.ends -= length
        is_named = ~np.isin(raw.edge_types, _numbers(raw.edge_type_names, names.NUMBERED_EDGES))
        moved = self.add(first)
        raw.node_names[raw.node_names == 0] = moved
        raw.edge_names[(raw.edge_names == 0) & is_named] = moved


_WANTED: Final = tuple(
    dict.fromkeys(
        [
            *(*names.CLASS_OF_NAME, *names.INTERNAL_EDGES, *names.HIDDEN_EDGES),
            *(*names.SCRIPT_EDGES, *names.MARKS, *names.ENGINE_PREFIXES),
            *("shared", names.EXTERNAL_STRING),
        ]
    )
)


def _numbers(all_names: tuple[str, ...], wanted: Iterable[str]) -> list[int]:
    return [all_names.index(name) for name in wanted if name in all_names]


def _translate(column: U8, file_names: tuple[str, ...], ours: Mapping[str, int], default: int) -> None:
    """Numbers of the file to numbers of ours, in place."""
    table = np.array([ours.get(name, default) for name in file_names], np.uint8)
    if len(column):
        np.take(table, column, out=column, mode="clip")


def _classes(raw: RawSnapshot, strings: _Strings) -> U8:
    by_type = np.array([names.CLASS_OF_TYPE.get(name, 0) for name in raw.node_type_names], np.uint8)
    by_name = np.zeros(len(strings) + 1, np.uint8)  # a moved first string stands behind the last
    for name, node_class in names.CLASS_OF_NAME.items():
        by_name[strings.all(name)] = node_class
    classes: U8 = by_type[raw.node_types]
    can_be_named = _mask(raw, names.CLASS_OF_NAME_TYPES)[raw.node_types]
    named: U8 = by_name[raw.node_names]
    np.copyto(classes, named, where=can_be_named & (named != 0))
    return classes


def _mask(raw: RawSnapshot, types: Iterable[str]) -> npt.NDArray[np.bool_]:
    """For each type of node of the file, whether it is one of `types`."""
    wanted = set(types)
    return np.array([name in wanted for name in raw.node_type_names], np.bool_)


def _owned_sizes(raw: RawSnapshot, strings: _Strings, first: U64) -> U32 | U64:
    by_type = np.zeros(len(raw.node_type_names), np.uint8)
    by_type[_mask(raw, names.BACKING_TYPES)] = names.NodeClass.BACKING
    by_type[_mask(raw, ["synthetic"])] = names.NodeClass.SYNTHETIC
    classes: U8 = by_type[raw.node_types]
    external = strings.one(names.EXTERNAL_STRING)
    is_native = _mask(raw, ["native"])[raw.node_types]
    classes[is_native & (raw.node_names == external)] = names.NodeClass.BACKING
    sizes = raw.node_sizes.copy()
    owners = np.empty(len(classes), np.uint32)
    _native.v8_move_sizes(first, raw.edge_types, raw.edge_targets, classes, owners, sizes)
    return sizes.astype(np.uint32) if len(sizes) == 0 or int(sizes.max()) < 0xFFFFFFFF else sizes


def _flags(types: TypeTable, type_ids: U32) -> U8:
    """Roots, hidden classes, code and backing stores are no objects of the program: never survivors."""
    is_engine = (types.flags & np.uint8(TypeFlag.SYNTHETIC)) != 0
    return np.where(is_engine[type_ids], ObjectFlag.SYNTHETIC, 0).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class _References:
    first: U64
    kinds: U8
    labels: U32
    targets: U32


def _build(raw: RawSnapshot, strings: _Strings, first: U64, classes: U8) -> tuple[_References, U32, U32]:
    """The references, and the (source, target) of the roots. The edges of `raw` are given up."""
    count = len(strings) + 1
    kinds = np.full(count, Kind.SLOT, np.uint8)
    labels = np.arange(count, dtype=np.uint32)
    for name, (kind, label) in names.INTERNAL_EDGES.items():
        for string in strings.all(name):
            kinds[string] = kind
            if kind == Kind.DICT:
                labels[string] = 0
            elif label is not None:
                labels[string] = strings.add(label)
    hidden = np.full(count, _NO_STRING, np.uint32)
    for name, label in names.HIDDEN_EDGES.items():
        hidden[strings.all(name)] = strings.add(label)
    ends = np.append(strings.ends, strings.ends[-1:])
    is_string = _mask(raw, ["string"])[raw.node_types].view(np.uint8)
    edges = len(raw.edge_types)
    out = (
        *(np.empty(len(first), np.uint64), np.empty(edges, np.uint8)),
        *(np.empty(edges, np.uint32), np.empty(edges, np.uint32)),
    )
    sources, targets = _native.v8_build(
        (
            *(classes, is_string, raw.node_names, raw.node_ids, raw.node_sizes, first),
            *(raw.edge_types, raw.edge_names, raw.edge_targets),
        ),
        (kinds[: len(ends)], labels[: len(ends)], hidden[: len(ends)], strings.bytes, ends),
        (
            *(strings.one(name) for name in names.MARKS),
            *(strings.add(names.NUMBER_KEY), strings.add(names.WEAK_MAP_VALUE)),
        ),
        out,
    )
    kept = int(out[0][-1])
    raw.edge_types, raw.edge_names, raw.edge_targets = _NO_U8, _NO_U32, _NO_U32
    references = _References(out[0], out[1][:kept], out[2][:kept], out[3][:kept])
    return references, np.frombuffer(sources, np.uint32), np.frombuffer(targets, np.uint32)


class _Scripts:
    """Where functions and the classes of objects are defined."""

    def __init__(self, raw: RawSnapshot, strings: _Strings, references: _References) -> None:
        self._raw, self._strings, self._references = raw, strings, references
        self.is_closure: npt.NDArray[np.bool_] = _mask(raw, ["closure"])[raw.node_types]
        self._edges = {string for edge in names.SCRIPT_EDGES for string in strings.all(edge)}
        self._shared = set(strings.all("shared"))
        self.files = self._names_of_scripts()

    def places(self) -> SparsePlaces:
        objects, scripts, lines = self._raw.places.T
        known, rows = np.unique(scripts, return_inverse=True)
        files = np.array([self._strings.add(_file(self.files.get(int(s), ""))) for s in known], np.uint32)
        is_known = np.array([bool(self.files.get(int(script))) for script in known], np.bool_)[rows]
        return SparsePlaces(objects[is_known], files[rows][is_known], lines[is_known] + np.uint32(1))

    def is_of_user(self) -> npt.NDArray[np.bool_]:
        """For each place, whether its script belongs to the program."""
        known, rows = np.unique(self._raw.places[:, 1], return_inverse=True)
        own = [bool(name) and not name.startswith(names.INTERNAL_SCRIPTS) for name in map(self._name, known)]
        return np.array(own, np.bool_)[rows]

    def _name(self, script: Any) -> str:  # Any: a numpy integer
        return self.files.get(int(script), "")

    def _names_of_scripts(self) -> dict[int, str]:
        """script number -> name, by way of a function that has a place in it."""
        places = self._raw.places
        places = places[self.is_closure[places[:, 0]]]
        scripts, rows = np.unique(places[:, 1], return_index=True)
        found = {}
        for script, row in zip(scripts.tolist(), rows.tolist(), strict=True):
            shared = self._follow(int(places[row, 0]), self._shared)
            node = None if shared is None else self._follow(shared, self._edges)
            if node is not None:
                found[script] = self._strings[int(self._raw.node_names[node])]
        return found

    def _follow(self, node: int, edges: set[int]) -> int | None:
        references = self._references
        for ref in range(int(references.first[node]), int(references.first[node + 1])):
            # A number is a label too: only these kinds of edge are labelled with a string.
            is_named = references.kinds[ref] == Kind.INTERNAL
            if is_named and int(references.labels[ref]) in edges:
                return int(references.targets[ref])
        return None


def _file(script: str) -> str:
    return script.removeprefix("file://")


def _types(raw: RawSnapshot, strings: _Strings, scripts: _Scripts) -> tuple[TypeTable, U32]:
    """A row for each type of node that has no class names, then one for each class name."""
    is_named_type = _mask(raw, names.NAMED_TYPES)
    is_named: npt.NDArray[np.bool_] = is_named_type[raw.node_types]
    used = np.zeros(len(strings) + 1, np.bool_)
    used[raw.node_names[is_named]] = True
    class_names = np.flatnonzero(used)
    row_of_name = np.cumsum(used, dtype=np.uint32) + np.uint32(len(raw.node_type_names) - 1)
    type_ids: U32 = raw.node_types.astype(np.uint32)
    np.copyto(type_ids, row_of_name[raw.node_names], where=is_named)
    rows = len(raw.node_type_names) + len(class_names)
    is_user = np.zeros(rows, np.bool_)
    of_user = scripts.is_of_user() & is_named[raw.places[:, 0]]
    is_user[type_ids[raw.places[of_user, 0]]] = True
    type_names = [strings.add(names.TYPE_NAMES.get(name, f"({name})")) for name in raw.node_type_names]
    is_engine = np.zeros(rows, np.bool_)
    is_engine[: len(raw.node_type_names)] = _mask(raw, names.ENGINE_TYPES)
    for prefix in names.ENGINE_PREFIXES:
        is_engine[row_of_name[[s for s in strings.all(prefix) if used[s]]]] = True
    flags = np.where(is_engine, TypeFlag.SYNTHETIC, TypeFlag.COLLECTED)
    flags[is_user] |= TypeFlag.HEAP
    objects = np.full(rows, NO_OBJECT, np.uint32)
    for row, constructor in _constructors(raw, scripts, type_ids, is_user).items():
        objects[row] = constructor
    modules = np.where(is_user, 0, strings.add("builtins")).astype(np.uint32)
    named = np.concatenate([np.array(type_names, np.uint32), class_names.astype(np.uint32)])
    return TypeTable(objects, modules, named, flags.astype(np.uint8)), type_ids


def _constructors(
    raw: RawSnapshot, scripts: _Scripts, type_ids: U32, is_user: npt.NDArray[np.bool_]
) -> dict[int, int]:
    """type row -> its constructor: an object has the place of its class, so has the class itself."""
    objects, script_ids, lines = raw.places.T
    is_function: npt.NDArray[np.bool_] = scripts.is_closure[objects]
    at = {
        (script, line, name): function
        for function, script, line, name in zip(
            objects[is_function].tolist(),
            script_ids[is_function].tolist(),
            lines[is_function].tolist(),
            raw.node_names[objects[is_function]].tolist(),
            strict=True,
        )
    }
    is_instance = is_user[type_ids[objects]] & ~is_function
    rows, firsts = np.unique(type_ids[objects[is_instance]], return_index=True)
    found = {}
    for row, index in zip(rows.tolist(), firsts.tolist(), strict=True):
        obj, script, line = (int(column[is_instance][index]) for column in (objects, script_ids, lines))
        function = at.get((script, line, int(raw.node_names[obj])))
        if function is not None:
            found[row] = function
    return found


def _roots(raw: RawSnapshot, strings: _Strings, sources: U32, targets: U32) -> Roots:
    """References out of synthetic nodes; the nameless root of all is one too, lest it seem garbage."""
    known, rows = np.unique(sources, return_inverse=True)
    spelled = [strings[int(raw.node_names[node])] for node in known]
    kinds = np.array([names.ROOT_KINDS.get(name, RootKind.INTERPRETER) for name in spelled], np.uint8)
    labels = np.array([strings.add(name or names.GLOBAL) for name in spelled], np.uint32)
    is_synthetic = _mask(raw, ["synthetic"])[raw.node_types]
    root_kinds = np.where(is_synthetic[targets], np.uint8(RootKind.STATIC_TYPE), kinds[rows])
    top = np.flatnonzero(is_synthetic[:1]).astype(np.uint32)
    return Roots(
        np.append(root_kinds, np.full(len(top), RootKind.STATIC_TYPE, np.uint8)),
        np.append(labels[rows], np.zeros(len(top), np.uint32)),
        np.append(targets, top),
        np.zeros(len(targets) + len(top), np.uint8),
    )


def _names(raw: RawSnapshot, strings: _Strings, references: _References) -> SparseColumn:
    """Functions have their own names, generators and async functions under way those of their functions."""
    functions = np.flatnonzero(_mask(raw, ["closure"])[raw.node_types]).astype(np.uint32)
    label = strings.add(names.GENERATOR_FUNCTION)
    refs = np.flatnonzero((references.kinds == Kind.SLOT) & (references.labels == label))
    generators = np.searchsorted(references.first, refs.astype(np.uint64), side="right") - 1
    return SparseColumn(
        np.concatenate([functions, generators.astype(np.uint32)]),
        np.concatenate([raw.node_names[functions], raw.node_names[references.targets[refs]]]),
    )


def _meta(raw: RawSnapshot) -> dict[str, Any]:  # Any: JSON
    # Even ids are an embedder's: Node 18 and 20 make them from addresses.
    odd = raw.node_ids[(raw.node_ids & np.uint64(1)) == 1]
    return {
        "format": 1,
        "runtime": "v8",
        "births": False,
        "sites": False,
        "sizes": SIZES_NOTE,
        "detached_objects": int(np.count_nonzero(raw.node_detached == 2)),
        "node_count": len(raw.node_types),
        "edge_count": int(raw.meta["edge_count"]),
        "last_id": int(odd.max()) if len(odd) else 0,
    }
