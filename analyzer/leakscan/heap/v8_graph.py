"""From the columns of a V8 snapshot to a HeapGraph: types, roots, places, and which edges hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from leakscan import _native
from leakscan.heap import v8_names as names
from leakscan.heap.graph import U8, U32, U64, HeapGraph, Roots, StringTable, TypeTable
from leakscan.heap.kinds import BIRTH_UNKNOWN, NUMBER_LABELS, Kind, ObjectFlag, RootKind, TypeFlag
from leakscan.heap.secrets import masked_table
from leakscan.heap.source_maps import SourceMaps
from leakscan.heap.sparse import SparseColumn
from leakscan.heap.v8 import RawSnapshot
from leakscan.heap.v8_accessors import fold_accessors
from leakscan.heap.v8_driver import driver_flags
from leakscan.heap.v8_frames import name_frames
from leakscan.heap.v8_modules import ModuleCode, modules_of
from leakscan.heap.v8_strings import NO_STRING, VARIABLE, Strings, mask
from leakscan.heap.v8_types import References, Scripts, types_of

_NO_U8: Final[U8] = np.zeros(0, np.uint8)
_NO_U32: Final[U32] = np.zeros(0, np.uint32)
_SPELLS: Final = {"string": 1, "symbol": 2}
"""Types of node that can be the key of a property: 1 where the node's name is what it says."""
SIZES_MOVED: Final = "self sizes; those of backing stores are counted with their one owner, as DevTools does"
SIZES_AS_WRITTEN: Final = "self sizes as in the file, as DevTools does when the root names no global object"


def graph_of(raw: RawSnapshot, source_maps: SourceMaps | None = None) -> HeapGraph:
    """The heap in `raw`, whose arrays it takes over: node i becomes object i.

    References out of synthetic nodes become roots. `addresses` are node ids; `refcounts` are 0.
    """
    strings = Strings(raw)
    first: U64 = np.empty(len(raw.node_types) + 1, np.uint64)
    _native.prefix_sum(raw.node_edges, first)
    _translate(raw.edge_types, raw.edge_type_names, names.EDGE_TYPES, int(names.EdgeType.HIDDEN))
    classes = _classes(raw, strings)
    meta = _meta(raw)
    sizes = _owned_sizes(raw, strings, first)
    references, sources, targets = _build(raw, strings, first, classes)
    fold_accessors(raw, strings, references)
    scripts = Scripts(raw, strings, references)
    types, type_ids = types_of(raw, strings, scripts)
    script_places = scripts.written_places()
    places = scripts.places(source_maps)
    modules = modules_of(raw, strings, references, places)
    roots = _roots(raw, strings, sources, targets, modules)
    named = _names(raw, strings, references, modules)
    places = modules.placed(places)
    texts = np.flatnonzero(mask(raw, ["string"])[raw.node_types]).astype(np.uint32)
    # Last: every label has been added by now.
    table = _masked(strings.table(), references, types, named)
    return HeapGraph(
        runtime="v8",
        meta=meta,
        types=types,
        addresses=raw.node_ids,
        type_ids=type_ids,
        sizes=sizes,
        refcounts=np.zeros(len(type_ids), np.uint32),
        births=np.full(len(type_ids), BIRTH_UNKNOWN, np.uint16),
        flags=_flags(types, type_ids) | driver_flags(places, table, len(type_ids)),
        sites=np.zeros(len(type_ids), np.uint32),
        first_ref=references.first,
        ref_targets=references.targets,
        ref_kinds=references.kinds,
        ref_labels=references.labels,
        roots=roots,
        names=named,
        locations=places,
        text_objects=texts,
        text_hashes=raw.node_names[texts].astype(np.uint64),
        script_places=script_places,
        path=raw.name,
        strings=table,
    )


def _masked(table: StringTable, references: References, types: TypeTable, named: SparseColumn) -> StringTable:
    """Secrets in labels and names; the program's other strings and sources are never shown."""
    used = np.zeros(len(table), np.bool_)
    is_text = ~np.isin(references.kinds, np.array(NUMBER_LABELS, np.uint8))
    used[references.labels[is_text]] = True
    used[types.names] = True
    used[named.values_array] = True
    return masked_table(table, used)


def _translate(column: U8, file_names: tuple[str, ...], ours: Mapping[str, int], default: int) -> None:
    """Numbers of the file to numbers of ours, in place."""
    table = bytes(ours.get(name, default) for name in file_names).ljust(256, bytes([default]))
    # Ten times as fast as indexing an array by an array of bytes.
    column[:] = np.frombuffer(column.tobytes().translate(table), np.uint8)


def _classes(raw: RawSnapshot, strings: Strings) -> U8:
    by_type = np.array([names.CLASS_OF_TYPE.get(name, 0) for name in raw.node_type_names], np.uint8)
    by_name = np.zeros(len(strings) + 1, np.uint8)  # a moved first string stands behind the last
    for name, node_class in names.CLASS_OF_NAME.items():
        by_name[strings.all(name)] = node_class
    classes: U8 = by_type[raw.node_types]
    can_be_named = mask(raw, names.CLASS_OF_NAME_TYPES)[raw.node_types]
    named: U8 = by_name[raw.node_names]
    np.copyto(classes, named, where=can_be_named & (named != 0))
    return classes


def _has_user_roots(raw: RawSnapshot) -> bool:
    """Whether the root refers to an object of the program: only then does DevTools move sizes."""
    count = int(raw.node_edges[0]) if len(raw.node_edges) else 0
    is_synthetic = mask(raw, ["synthetic"])[raw.node_types[raw.edge_targets[:count]]]
    return not bool(is_synthetic.all())


def _owned_sizes(raw: RawSnapshot, strings: Strings, first: U64) -> U32 | U64:
    if not _has_user_roots(raw):
        return raw.node_sizes
    by_type = np.zeros(len(raw.node_type_names), np.uint8)
    by_type[mask(raw, names.BACKING_TYPES)] = names.NodeClass.BACKING
    by_type[mask(raw, ["synthetic"])] = names.NodeClass.SYNTHETIC
    classes: U8 = by_type[raw.node_types]
    is_external = np.isin(raw.node_names, strings.all(names.EXTERNAL_STRING))
    classes[mask(raw, ["native"])[raw.node_types] & is_external] = names.NodeClass.BACKING
    sizes = raw.node_sizes.copy()
    owners = np.empty(len(classes), np.uint32)
    _native.v8_move_sizes(first, raw.edge_types, raw.edge_targets, classes, owners, sizes)
    return sizes.astype(np.uint32) if len(sizes) == 0 or int(sizes.max()) < 0xFFFFFFFF else sizes


def _flags(types: TypeTable, type_ids: U32) -> U8:
    """Roots, hidden classes, code and backing stores are no objects of the program: never survivors."""
    is_engine = (types.flags & np.uint8(TypeFlag.SYNTHETIC)) != 0
    return np.where(is_engine[type_ids], ObjectFlag.SYNTHETIC, 0).astype(np.uint8)


def _build(raw: RawSnapshot, strings: Strings, first: U64, classes: U8) -> tuple[References, U32, U32]:
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
    hidden = np.full(count, NO_STRING, np.uint32)
    for name, label in names.HIDDEN_EDGES.items():
        hidden[strings.all(name)] = strings.add(label)
    hidden[strings.all(names.CONTEXT)] = VARIABLE
    ends = np.append(strings.ends, strings.ends[-1:])
    spells = np.array([_SPELLS.get(name, 0) for name in raw.node_type_names], np.uint8)
    is_string: U8 = spells[raw.node_types]
    edges = len(raw.edge_types)
    out = (
        *(np.empty(len(first), np.uint64), np.empty(edges, np.uint8)),
        *(np.empty(edges, np.uint32), np.empty(edges, np.uint32)),
    )
    marks = (
        *(strings.one(name) for name in names.MARKS),
        *(strings.add(names.NUMBER_KEY), strings.add(names.WEAK_MAP_VALUE)),
    )
    sources, targets, variables = _native.v8_build(
        (
            *(classes, is_string, raw.node_names, raw.node_ids, raw.node_sizes, first),
            *(raw.edge_types, raw.edge_names, raw.edge_targets),
        ),
        (kinds[: len(ends)], labels[: len(ends)], hidden[: len(ends)], strings.bytes, ends),
        (*marks, strings.next()),
        out,
    )
    _add_variables(strings, np.frombuffer(variables, np.uint32).tolist())
    kept = int(out[0][-1])
    raw.edge_types, raw.edge_names, raw.edge_targets = _NO_U8, _NO_U32, _NO_U32
    references = References(out[0], out[1][:kept], out[2][:kept], out[3][:kept])
    return references, np.frombuffer(sources, np.uint32), np.frombuffer(targets, np.uint32)


def _add_variables(strings: Strings, listed: list[int]) -> None:
    """One label for each variable of a block that may be one of several."""
    at = 0
    while at < len(listed):
        end = at + 1 + listed[at]
        strings.append(" or ".join(strings[name] for name in listed[at + 1 : end]))
        at = end


def _roots(raw: RawSnapshot, strings: Strings, sources: U32, targets: U32, modules: ModuleCode) -> Roots:
    """References out of synthetic nodes, and modules; so is the nameless root, lest it seem garbage."""
    known, rows = np.unique(sources, return_inverse=True)
    spelled = [strings[int(raw.node_names[node])] for node in known]
    kinds = np.array([names.ROOT_KINDS.get(name, RootKind.INTERPRETER) for name in spelled], np.uint8)
    labels = np.array([strings.add(name or names.GLOBAL) for name in spelled], np.uint32)
    is_synthetic = mask(raw, ["synthetic"])[raw.node_types]
    root_kinds = np.where(is_synthetic[targets], np.uint8(RootKind.STATIC_TYPE), kinds[rows])
    labels_of_roots = labels[rows]
    if names.STACK_ROOTS in spelled:
        of_stack = np.flatnonzero(rows == spelled.index(names.STACK_ROOTS)).astype(np.uint32)
        name_frames(raw, strings, of_stack, targets, labels_of_roots)
    if not (root_kinds == RootKind.MODULE).any():
        # Chrome's root does not refer to the global object itself: its context does.
        is_context = np.isin(raw.node_names[targets], strings.all(names.NATIVE_CONTEXT))
        root_kinds[is_context] = RootKind.MODULE
        labels_of_roots[is_context] = strings.add(names.GLOBAL)
    top = np.flatnonzero(is_synthetic[:1]).astype(np.uint32)
    return Roots(
        np.concatenate(
            (
                root_kinds,
                np.full(len(top), RootKind.STATIC_TYPE, np.uint8),
                np.full(len(modules.bodies), RootKind.MODULE, np.uint8),
            )
        ),
        np.concatenate((labels_of_roots, np.zeros(len(top), np.uint32), modules.labels)),
        np.concatenate((targets, top, modules.bodies)),
        np.zeros(len(targets) + len(top) + len(modules.bodies), np.uint8),
    )


def _names(raw: RawSnapshot, strings: Strings, references: References, modules: ModuleCode) -> SparseColumn:
    """Functions have their own names, generators those of their functions, modules those of files."""
    functions = np.flatnonzero(mask(raw, ["closure"])[raw.node_types]).astype(np.uint32)
    label = strings.add(names.GENERATOR_FUNCTION)
    refs = np.flatnonzero((references.kinds == Kind.SLOT) & (references.labels == label))
    generators = np.searchsorted(references.first, refs.astype(np.uint64), side="right") - 1
    return SparseColumn(
        np.concatenate([functions, generators.astype(np.uint32), modules.bodies]),
        np.concatenate([raw.node_names[functions], raw.node_names[references.targets[refs]], modules.labels]),
    )


def _meta(raw: RawSnapshot) -> dict[str, Any]:  # Any: JSON
    # Even ids are an embedder's: Node 18 and 20 make them from addresses.
    odd = raw.node_ids[(raw.node_ids & np.uint64(1)) == 1]
    return {
        "format": 1,
        "runtime": "v8",
        "births": False,
        "sites": False,
        "sizes": SIZES_MOVED if _has_user_roots(raw) else SIZES_AS_WRITTEN,
        "detached_objects": int(np.count_nonzero(raw.node_detached == 2)),
        "node_count": len(raw.node_types),
        "edge_count": int(raw.meta["edge_count"]),
        "last_id": int(odd.max()) if len(odd) else 0,
    }
