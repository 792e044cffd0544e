"""Types of a V8 snapshot: constructors, whose they are, and where they are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leakscan.heap import v8_names as names
from leakscan.heap.graph import U8, U32, U64, TypeTable
from leakscan.heap.kinds import NO_OBJECT, Kind, TypeFlag
from leakscan.heap.source_maps import SourceMaps
from leakscan.heap.sparse import SparsePlaces
from leakscan.heap.v8 import RawSnapshot
from leakscan.heap.v8_strings import Strings, mask


@dataclass(frozen=True, slots=True)
class References:
    """The references of a V8 heap in our columns, by the object they come from."""

    first: U64
    kinds: U8
    labels: U32
    targets: U32


class Scripts:
    """Where functions and the classes of objects are defined."""

    def __init__(self, raw: RawSnapshot, strings: Strings, references: References) -> None:
        self._raw, self._strings, self.references = raw, strings, references
        self.is_closure: npt.NDArray[np.bool_] = mask(raw, ["closure"])[raw.node_types]
        self._edges = {string for edge in names.SCRIPT_EDGES for string in strings.all(edge)}
        self._shared = set(strings.all("shared"))
        self.files = self._names_of_scripts()

    def places(self, source_maps: SourceMaps | None = None) -> SparsePlaces:
        objects, scripts, lines, columns = self._raw.places.T
        known, rows = np.unique(scripts, return_inverse=True)
        names_of = [file_of(self.files.get(int(script), "")) for script in known]
        files = np.array([self._strings.add(name) for name in names_of], np.uint32)[rows]
        is_known = np.array([bool(name) for name in names_of], np.bool_)[rows]
        lines = lines + np.uint32(1)
        if source_maps is not None:
            is_user = is_known & self.is_of_user()
            spots = np.stack((rows[is_user].astype(np.uint32), lines[is_user], columns[is_user]))
            distinct, spot_of = np.unique(spots, axis=1, return_inverse=True)
            mapped = [
                source_maps.original(names_of[row], line, column) for row, line, column in distinct.T.tolist()
            ]
            chosen = np.flatnonzero(is_user)
            for spot, found in enumerate(mapped):
                if found is not None:
                    at = chosen[spot_of == spot]
                    files[at], lines[at] = self._strings.add(found[0]), found[1]
        return SparsePlaces(objects[is_known], files[is_known], lines[is_known])

    def written_places(self) -> U32:
        """Where each function begins in its script as it was compiled: function, script, line, column."""
        found = self._raw.places[self.is_closure[self._raw.places[:, 0]]]
        known, rows = np.unique(found[:, 1], return_inverse=True)
        names_of = [file_of(self.files.get(int(script), "")) for script in known]
        files = np.array([self._strings.add(name) if name else 0 for name in names_of], np.uint32)[rows]
        order = np.argsort(found[:, 0], kind="stable")
        columns = (found[:, 0], files, found[:, 2] + np.uint32(1), found[:, 3])
        return np.stack(columns, axis=1).astype(np.uint32)[order] if len(found) else found

    def is_of_user(self) -> npt.NDArray[np.bool_]:
        """For each place, whether its script belongs to the program."""
        known, rows = np.unique(self._raw.places[:, 1], return_inverse=True)
        spelled = [file_of(self.files.get(int(script), "")) for script in known]
        own = [bool(name) and not name.startswith(names.INTERNAL_SCRIPTS) for name in spelled]
        return np.array(own, np.bool_)[rows]

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
        references = self.references
        for ref in range(int(references.first[node]), int(references.first[node + 1])):
            # A number is a label too: only these kinds of edge are labelled with a string.
            is_named = references.kinds[ref] == Kind.INTERNAL
            if is_named and int(references.labels[ref]) in edges:
                return int(references.targets[ref])
        return None


def file_of(script: str) -> str:
    return script.removeprefix("system / Script / ").removeprefix("file://")


def types_of(raw: RawSnapshot, strings: Strings, scripts: Scripts) -> tuple[TypeTable, U32]:
    """A row for each type of node that has no class names, then one for each class name."""
    base = len(raw.node_type_names)
    is_named: npt.NDArray[np.bool_] = mask(raw, names.NAMED_TYPES)[raw.node_types]
    used = np.zeros(len(strings) + 1, np.bool_)  # a moved first string stands behind the last
    used[raw.node_names[is_named]] = True
    class_names = np.flatnonzero(used)
    row_of_name = np.cumsum(used, dtype=np.uint32) + np.uint32(base - 1)
    # How V8 keeps a text (whole, as a sum, as a part of another) is no concern of who wrote it.
    texts = [row for row, name in enumerate(raw.node_type_names) if name in names.STRING_TYPES]
    same = [min(texts) if row in texts else row for row in range(base)]
    type_ids: U32 = np.array(same, np.uint32)[raw.node_types]
    np.copyto(type_ids, row_of_name[raw.node_names], where=is_named)
    common = _common_rows(raw, strings, used, base + len(class_names), type_ids)
    own_rows = base + len(class_names) + len(common)
    type_ids[prototypes(raw, strings, scripts.references)] = own_rows
    type_ids[_async_functions(raw, strings, scripts.references)] = own_rows + 1
    rows = own_rows + len(names.OWN_TYPES)
    is_user = np.zeros(rows, np.bool_)
    of_user = scripts.is_of_user() & is_named[raw.places[:, 0]]
    is_user[type_ids[raw.places[of_user, 0]]] = True
    is_engine = np.zeros(rows, np.bool_)
    is_engine[:base] = mask(raw, names.ENGINE_TYPES)
    for prefix in names.ENGINE_PREFIXES:
        is_engine[row_of_name[[s for s in strings.all(prefix) if used[s]]]] = True
    proxies = row_of_name[[s for s in strings.all(names.PROXY) if used[s]]]
    is_engine[proxies] = False
    is_engine[own_rows - len(common) : own_rows] = [
        name.startswith(("system", "Detached system")) for name in common
    ]
    flags = np.where(is_engine, TypeFlag.SYNTHETIC, TypeFlag.COLLECTED)
    flags[is_user] |= TypeFlag.HEAP
    objects = np.full(rows, NO_OBJECT, np.uint32)
    for row, constructor in _constructors(raw, scripts, type_ids, is_user).items():
        objects[row] = constructor
    modules = np.where(is_user, 0, strings.add("builtins")).astype(np.uint32)
    type_names = [strings.add(names.TYPE_NAMES.get(name, f"({name})")) for name in raw.node_type_names]
    more_names = np.array([strings.add(name) for name in (*common, *names.OWN_TYPES)], np.uint32)
    named = np.concatenate([np.array(type_names, np.uint32), class_names.astype(np.uint32), more_names])
    named[proxies] = strings.add("Proxy")
    return TypeTable(objects, modules, named, flags.astype(np.uint8)), type_ids


def prototypes(raw: RawSnapshot, strings: Strings, references: References) -> U32:
    """Objects that are some class's `prototype`. V8 names that of a derived class after its base."""
    is_closure: npt.NDArray[np.bool_] = mask(raw, ["closure"])[raw.node_types]
    refs = _labelled(references, Kind.ATTRIBUTE, strings.all("prototype"))
    owners = sources_of_refs(references, refs)
    is_object = mask(raw, ["object"])[raw.node_types[references.targets[refs]]]
    found: U32 = references.targets[refs[is_closure[owners] & is_object]]
    return found


def _async_functions(raw: RawSnapshot, strings: Strings, references: References) -> U32:
    """Async functions under way: V8 keeps them as generators; real ones are named after their function."""
    refs = _labelled(references, Kind.SLOT, [strings.add(names.GENERATOR_FUNCTION)])
    owners = sources_of_refs(references, refs)
    found: U32 = owners[np.isin(raw.node_names[owners], strings.all("Generator"))]
    return found


def _labelled(references: References, kind: Kind, labels: list[int]) -> npt.NDArray[np.intp]:
    is_labelled = np.zeros(len(references.labels), np.bool_)
    for label in labels:
        is_labelled |= references.labels == label
    return np.flatnonzero(is_labelled & (references.kinds == kind))


def sources_of_refs(references: References, refs: npt.NDArray[np.intp]) -> U32:
    """The object that each of these references starts at."""
    found = np.searchsorted(references.first, refs.astype(np.uint64), side="right") - 1
    return found.astype(np.uint32)


def _common_rows(
    raw: RawSnapshot, strings: Strings, used: npt.NDArray[np.bool_], first_row: int, type_ids: U32
) -> tuple[str, ...]:
    """Names of the types that nodes share although each node's name has a detail of its own.

    `<div>` for `<div id="x">`, and another one when it is detached; `system / Context` for one with the
    number of its scope. Their nodes get those types in `type_ids`, from `first_row` on.
    """
    detailed = [string for string in strings.all("<*") + strings.all("system / *") if used[string]]
    common = {string: _common_name(strings[string]) for string in detailed}
    kinds = sorted({name for name in common.values() if name})
    row_of_name = np.zeros(len(used), np.uint32)
    for string, name in common.items():
        row_of_name[string] = first_row + 2 * kinds.index(name) if name else 0
    rows = row_of_name[raw.node_names]
    is_detached = raw.node_detached == names.DETACHED
    is_common = (rows != 0) & mask(raw, names.NAMED_TYPES)[raw.node_types]
    np.copyto(type_ids, rows + is_detached.astype(np.uint32), where=is_common)
    return tuple(text for kind in kinds for text in (kind, f"Detached {kind}"))


def _common_name(text: str) -> str:
    """ "" for a name without a detail."""
    if text.startswith("<"):
        return text.partition(" ")[0].rstrip(">") + ">"
    parts = text.split(" / ", 2)
    return " / ".join(parts[:2]) if len(parts) > 2 else ""


def _constructors(
    raw: RawSnapshot, scripts: Scripts, type_ids: U32, is_user: npt.NDArray[np.bool_]
) -> dict[int, int]:
    """type row -> its constructor: an object has the place of its class, so has the class itself."""
    objects, script_ids, lines, _ = raw.places.T
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
