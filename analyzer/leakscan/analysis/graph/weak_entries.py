"""Entries of tables that go with what they wait for, though a reference of the table holds them.

`weakref` strikes an entry off when the object that its weak reference refers to dies: the value of a
WeakKeyDictionary, the key of a WeakValueDictionary, what a `weakref.finalize` calls (`Lib/weakref.py` of
CPython 3.11-3.15). Such an entry lives as long as that object, and the table is no reason to name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.refs import kinds_of, refs_with_sources, sources_of, strings_equal
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import NO_OBJECT, Kind

Bools = npt.NDArray[np.bool_]

_WEAK_TYPES: Final = ("weakref.ReferenceType", "weakref.KeyedRef", "weakref.WeakMethod")
_FINALIZER: Final = "weakref.finalize._Info"
"""A value of an entry of `weakref.finalize._registry`: its `weakref` calls the key, which strikes it off."""
_STATE: Final = "sqlalchemy.orm.state.InstanceState"
"""A value of an identity map of SQLAlchemy (1.4-2.1): its weak reference `obj` to the row calls `_cleanup`,
which strikes it off."""
_FINALIZE: Final = "multiprocessing.util.Finalize"
"""A value of `multiprocessing.util._finalizer_registry` of CPython 3.11-3.15: its `_weakref` to a proxy, a
pool or a queue calls it, which strikes it off."""
_VALUES: Final = (Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER)


@dataclass(frozen=True, slots=True)
class WeakEntries:
    """`refs` (ascending) hold what they lead to only while the object of the same number in `keys` lives."""

    refs: U32
    keys: U32


NONE: Final = WeakEntries(np.zeros(0, np.uint32), np.zeros(0, np.uint32))


def find_weak_entries(graph: HeapGraph, is_live: Bools) -> WeakEntries:
    """Both halves of every entry that a weak reference to a live object, with a callback, is in."""
    if graph.runtime != "cpython":
        return NONE
    key_of = _keys(graph)
    if not (key_of != NO_OBJECT).any():
        return NONE
    refs = np.flatnonzero((key_of != NO_OBJECT)[graph.ref_targets]).astype(np.uint32)
    refs = refs[~np.isin(kinds_of(graph, refs), (Kind.WEAK, Kind.TYPE))]
    is_listed = np.isin(graph.ref_targets[refs], _of_types(graph, (_STATE, _FINALIZE)))
    refs = refs[~is_listed | np.isin(kinds_of(graph, refs), _VALUES)]
    keys = key_of[graph.ref_targets[refs]]
    others, has_other = _other_halves(graph, refs)
    refs, keys = np.concatenate((refs, others[has_other])), np.concatenate((keys, keys[has_other]))
    refs, keys = refs[is_live[keys]], keys[is_live[keys]]
    found, first = np.unique(refs, return_index=True)
    return WeakEntries(found, keys[first])


def _keys(graph: HeapGraph) -> U32:
    """For each weak reference with a callback what it refers to, and for each finalizer what it waits for."""
    key_of = np.full(graph.object_count, NO_OBJECT, np.uint32)
    refs, owners = refs_with_sources(graph, _of_types(graph, _WEAK_TYPES))
    is_callback = np.isin(graph.ref_labels[refs], strings_equal(graph.strings, "__callback__"))
    none = [row for row, name in enumerate(graph.type_names) if name == "NoneType"]
    is_callback &= ~np.isin(graph.type_ids[graph.ref_targets[refs]], none)
    calls = np.zeros(graph.object_count, np.bool_)
    calls[owners[is_callback]] = True
    is_target = (kinds_of(graph, refs) == Kind.WEAK) & calls[owners]
    key_of[owners[is_target]] = graph.ref_targets[refs[is_target]]
    for waiting, label in ((_FINALIZER, "weakref"), (_STATE, "obj"), (_FINALIZE, "_weakref")):
        refs, owners = refs_with_sources(graph, _of_types(graph, (waiting,)))
        waits = key_of[graph.ref_targets[refs]]
        is_known = (waits != NO_OBJECT) & np.isin(graph.ref_labels[refs], strings_equal(graph.strings, label))
        key_of[owners[is_known]] = waits[is_known]
    return key_of


def _of_types(graph: HeapGraph, names: tuple[str, ...]) -> U32:
    rows = [row for row, name in enumerate(graph.type_names) if name in names]
    return np.flatnonzero(np.isin(graph.type_ids, rows)).astype(np.uint32) if rows else NONE.refs


def _other_halves(graph: HeapGraph, refs: U32) -> tuple[U32, Bools]:
    """The value that follows a key in a table, the key before a value; and which references have one."""
    kinds = kinds_of(graph, refs)
    is_key = kinds == Kind.KEY
    others = np.where(is_key, refs.astype(np.int64) + 1, refs.astype(np.int64) - 1)
    inside = (others >= 0) & (others < graph.reference_count)
    others = np.where(inside, others, 0).astype(np.uint32)
    other_kinds = kinds_of(graph, others)
    is_pair = (is_key & np.isin(other_kinds, _VALUES)) | (np.isin(kinds, _VALUES) & (other_kinds == Kind.KEY))
    return others, inside & is_pair & (sources_of(graph, others) == sources_of(graph, refs))
