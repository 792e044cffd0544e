"""A whole heap made fit for strangers: its string table rewritten, its graph left as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.refs import sources_of
from leakscan.heap.graph import U32, HeapGraph, StringTable
from leakscan.heap.kinds import KIND_MASK, NUMBER_LABELS, Kind
from leakscan.report.share.redaction import Redaction, Redactor

_NONE: U32 = np.zeros(0, np.uint32)
_KEYS = (Kind.KEY_STR, Kind.KEY_INT, Kind.KEY_OTHER)


def redacted_graph(graph: HeapGraph, level: Redaction) -> HeapGraph:
    """The same graph without dict keys, or without all names but those of the standard library.

    The entries of a namespace (a module's, an instance's) are names, not keys.
    """
    if level is Redaction.NONE:
        return graph
    table = _Table(graph, Redactor(level))
    kinds = graph.ref_kinds & np.uint8(KIND_MASK)
    sources = sources_of(graph, np.arange(graph.reference_count, dtype=np.uint32))
    is_namespace = np.zeros(graph.object_count, np.bool_)
    is_namespace[graph.ref_targets[kinds == Kind.DICT]] = True
    is_key = np.isin(kinds, _KEYS) & ~is_namespace[sources]
    is_number = np.isin(kinds, NUMBER_LABELS)
    labels = graph.ref_labels.copy()
    labels[is_key] = table.keys(labels[is_key])
    named = ~is_key & ~is_number
    labels[named] = table.names(labels[named])
    type_names, type_modules = table.types()
    return replace(
        graph,
        ref_labels=labels,
        types=replace(graph.types, names=type_names, modules=type_modules),
        roots=replace(graph.roots, labels=table.names(graph.roots.labels)),
        names={obj: table.name(string) for obj, string in graph.names.items()},
        locations={obj: (table.place(file), line) for obj, (file, line) in graph.locations.items()},
        site_files=_each(graph.site_files, table.place),
        work_names=table.names(graph.work_names),
        site_functions=table.names(graph.site_functions),
        meta={name: value for name, value in graph.meta.items() if _is_plain(value)},
        strings=table.strings(),
        text_objects=_NONE,
        text_lengths=_NONE,
        text_hashes=np.zeros(0, np.uint64),
        text_values={},
        path="",
    )


class _Table:
    """The new strings; the first is empty."""

    def __init__(self, graph: HeapGraph, redactor: Redactor) -> None:
        self._graph, self._redactor = graph, redactor
        self._texts: dict[str, int] = {"": 0}
        self._keys: dict[int, int] = {}

    def name(self, string: int) -> int:
        return self._kept(self._redactor.name(self._graph.strings[string]))

    def place(self, string: int) -> int:
        return self._kept(self._redactor.place(self._graph.strings[string]))

    def names(self, strings: U32) -> U32:
        return _each(strings, self.name)

    def keys(self, strings: U32) -> U32:
        return _each(strings, self._key)

    def types(self) -> tuple[U32, U32]:
        names, modules = self._graph.types.names.copy(), self._graph.types.modules.copy()
        for row, (name, module) in enumerate(zip(names.tolist(), modules.tolist(), strict=True)):
            package = self._graph.strings[module]
            whole = f"{package}.{self._graph.strings[name]}" if package else self._graph.strings[name]
            new = self._redactor.name(whole)
            start = len(self._redactor.name(package)) + 1 if package else 0
            names[row] = self._kept(new[start:])
            modules[row] = self._kept(new[: max(0, start - 1)])
        return names, modules

    def strings(self) -> StringTable:
        encoded = [text.encode("utf-8", "replace") for text in self._texts]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.uint64)
        return StringTable(b"".join(encoded), ends)

    def _key(self, string: int) -> int:
        if string not in self._keys:
            self._keys[string] = self._kept(f"key{len(self._keys) + 1}")
        return self._keys[string]

    def _kept(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))


def _each(strings: U32, new: Any) -> U32:  # Any: a method of the table
    values, places = np.unique(strings, return_inverse=True)
    changed: npt.NDArray[np.uint32] = np.array([new(value) for value in values.tolist()], np.uint32)
    return changed[places] if len(changed) else strings


def _is_plain(value: object) -> bool:
    return isinstance(value, (int, float, bool))
