"""Named fields of single objects, whichever way the snapshot holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.refs import distinct, kinds_of, strings_equal
from leakscan.heap.graph import U32, HeapGraph
from leakscan.heap.kinds import KIND_MASK, Kind

Bools = npt.NDArray[np.bool_]
_FIELD_KINDS = frozenset({int(Kind.ATTRIBUTE), int(Kind.SLOT), int(Kind.LOCAL)})
_CALLBACKS = (
    "gather.<locals>._done_callback",
    "_wait.<locals>._on_completion",
    "shield.<locals>._inner_done_callback",
    "shield.<locals>._outer_done_callback",
)


@dataclass(frozen=True)
class Fields:
    """Attributes, slots, locals and keys by name. None, the object, is no value."""

    graph: HeapGraph
    _rows: dict[str, frozenset[int]] = field(default_factory=dict)
    _objects: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    _referrers: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def rows(self, name: str) -> frozenset[int]:
        """Numbers of the strings that read `name`."""
        known = self._rows.get(name)
        if known is None:
            known = self._rows[name] = frozenset(strings_equal(self.graph.strings, name).tolist())
        return known

    def all(self, obj: int, name: str) -> list[int]:
        """Every value of the field `name`, in an instance's dict as well."""
        graph, rows, found = self.graph, self.rows(name), []
        first, end = int(graph.first_ref[obj]), int(graph.first_ref[obj + 1])
        # Read by the slice: this is the innermost loop of the analysis.
        kinds = (graph.ref_kinds[first:end] & np.uint8(KIND_MASK)).tolist()
        labels = graph.ref_labels[first:end].tolist()
        for place, kind in enumerate(kinds):
            if kind in _FIELD_KINDS and labels[place] in rows:
                found.append(int(graph.ref_targets[first + place]))
            elif kind == Kind.DICT:
                found += self._entries(int(graph.ref_targets[first + place]), rows)
        return [value for value in found if value != self.none]

    def get(self, obj: int, name: str) -> int | None:
        """The value of the field `name`; None when it has none, or Python's None."""
        found = self.all(obj, name)
        return found[0] if found else None

    def _entries(self, mapping: int, rows: frozenset[int]) -> list[int]:
        graph = self.graph
        return [
            int(graph.ref_targets[ref])
            for ref in graph.references(mapping)
            if graph.kind(ref) == Kind.KEY_STR and int(graph.ref_labels[ref]) in rows
        ]

    def targets(self, obj: int) -> list[int]:
        """What the object refers to, its type left out."""
        graph = self.graph
        return [int(graph.ref_targets[ref]) for ref in graph.references(obj) if graph.kind(ref) != Kind.TYPE]

    def type_rows(self, *endings: str) -> U32:
        """Rows of the type table whose full name is, or ends with a dot and, one of these."""
        return np.array(
            [
                row
                for row, name in enumerate(self.graph.type_names)
                if any(name == ending or name.endswith(f".{ending}") for ending in endings)
            ],
            np.uint32,
        )

    def objects_of(self, *endings: str) -> list[int]:
        """Objects of these types, the types themselves left out."""
        found = self._objects.get(endings)
        if found is None:
            rows = self.type_rows(*endings)
            found = np.flatnonzero(np.isin(self.graph.type_ids, rows)).tolist() if len(rows) else []
            self._objects[endings] = found
        return found

    @cached_property
    def task_groups(self) -> dict[int, int]:
        """The future that an `asyncio.TaskGroup` waits with until its tasks are done -> the group."""
        waiting = {self.get(group, "_on_completed_fut"): group for group in self.groups}
        return {future: group for future, group in waiting.items() if future is not None}

    @cached_property
    def cells_of_callbacks(self) -> frozenset[int]:
        """Variables of what asyncio itself calls when a future is done: those cancel nobody."""
        rows = {row for name in _CALLBACKS for row in self.rows(name)}
        functions = [obj for obj, row in self.graph.names.items() if row in rows]
        closures = [closure for each in functions for closure in self.all(each, "__closure__")]
        return frozenset(cell for closure in closures for cell in self.targets(closure))

    @cached_property
    def groups(self) -> frozenset[int]:
        """All objects of `asyncio.TaskGroup`."""
        return frozenset(self.objects_of("asyncio.taskgroups.TaskGroup"))

    def variable(self, suspended: int, name: str) -> int | None:
        """A variable of a suspended function, out of its cell where an inner function uses it too.

        The function's frame object has the variables as soon as someone asked for it.
        """
        for at in (suspended, *self.all(suspended, "frame object")):
            for value in self.all(at, name):
                if self.graph.type_name(value) != "cell":
                    return value
                return next((each for each in self.targets(value) if each != self.none), None)
        return None

    def of_module(self, module: str, name: str) -> int | None:
        """A global variable of a module."""
        graph = self.graph
        for root in range(len(graph.roots)):
            if graph.root_label(root) == module:
                return self.get(int(graph.roots.targets[root]), name)
        return None

    @cached_property
    def waits(self) -> dict[int, int]:
        """The future that an `asyncio.wait()` waits with -> its coroutine."""
        graph = self.graph
        calls = [each for each in self.objects_of("coroutine") if graph.name_of(each) == "_wait"]
        waiting = {self.variable(each, "waiter"): each for each in calls if self.is_of_asyncio(each)}
        return {future: each for future, each in waiting.items() if future is not None}

    def is_of_asyncio(self, suspended: int) -> bool:
        """Whether it is a function of `asyncio/tasks.py`."""
        place = self.graph.location_of(suspended)
        return place is not None and place.file.replace("\\", "/").endswith("asyncio/tasks.py")

    def owners_of_field(self, name: str) -> list[int]:
        """Objects with a value in the field `name`, ascending."""
        graph = self.graph
        rows = np.array(sorted(self.rows(name)), np.uint32)
        if not len(rows):
            return []
        refs = np.flatnonzero(np.isin(graph.ref_labels, rows)).astype(np.uint32)
        kinds = kinds_of(graph, refs)
        sources = (np.searchsorted(graph.first_ref, refs.astype(np.uint64), side="right") - 1).astype(
            np.int64
        )
        plain = sources[(kinds == Kind.ATTRIBUTE) | (kinds == Kind.SLOT)]
        in_dicts = sources[kinds == Kind.KEY_STR]
        owners = [self.owner_of_dict(mapping) for mapping in distinct(in_dicts).tolist()]
        found = {*plain.tolist(), *(owner for owner in owners if owner is not None)}
        return sorted(obj for obj in found if self.get(obj, name) is not None)

    def owner_of_dict(self, mapping: int) -> int | None:
        """The instance or module whose namespace this dict is."""
        return self._dict_owners.get(mapping)

    @cached_property
    def _dict_owners(self) -> dict[int, int]:
        graph = self.graph
        refs = np.flatnonzero((graph.ref_kinds & np.uint8(KIND_MASK)) == Kind.DICT)
        sources = np.searchsorted(graph.first_ref, refs.astype(np.uint64), side="right") - 1
        return dict(zip(graph.ref_targets[refs].tolist(), sources.tolist(), strict=True))

    @cached_property
    def none(self) -> int:
        """The object None, -1 when the snapshot has none."""
        found = self.objects_of("NoneType")
        return found[0] if found else -1

    @cached_property
    def true(self) -> int:
        """The object True, -1 when unknown. Values are not recorded: it is known by its name in builtins."""
        graph = self.graph
        for root in range(len(graph.roots)):
            if graph.root_label(root) == "builtins":
                found = self.all(int(graph.roots.targets[root]), "True")
                if found and graph.type_name(found[0]) == "bool":
                    return found[0]
        return -1

    def referrers_of(self, obj: int) -> list[tuple[int, int]]:
        """(who refers to it, by which reference)."""
        self.look_up_referrers({obj})
        return self._referrers[obj]

    def look_up_referrers(self, objects: set[int]) -> None:
        """Answers `referrers_of` for those that were not asked for yet: one pass over the references."""
        asked = objects - self._referrers.keys()
        if asked:
            self._referrers.update(self.referrers(asked))

    def referrers(self, objects: set[int]) -> dict[int, list[tuple[int, int]]]:
        """For each of the objects, (who refers to it, by which reference)."""
        graph = self.graph
        wanted = np.zeros(graph.object_count, np.bool_)
        wanted[list(objects)] = True
        refs = np.flatnonzero(wanted[graph.ref_targets])
        sources = np.searchsorted(graph.first_ref, refs.astype(np.uint64), side="right") - 1
        found: dict[int, list[tuple[int, int]]] = {obj: [] for obj in objects}
        for ref, source in zip(refs.tolist(), sources.tolist(), strict=True):
            found[int(graph.ref_targets[ref])].append((source, ref))
        return found
