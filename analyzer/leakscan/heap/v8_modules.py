"""Modules of the program in a V8 heap: where a reader expects the path to a module's variable to begin.

V8 has no root for them: they hang below the loader of the runtime, a dozen references away.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan.heap.graph import U32
from leakscan.heap.kinds import Kind
from leakscan.heap.sparse import SparsePlaces
from leakscan.heap.v8 import RawSnapshot
from leakscan.heap.v8_driver import DRIVER
from leakscan.heap.v8_names import CELL, INTERNAL_SCRIPTS, MODULE, SYNTHETIC_MODULE
from leakscan.heap.v8_strings import Strings, mask
from leakscan.heap.v8_types import References, file_of

Bools = npt.NDArray[np.bool_]

_CODE: Final = "[[Module]]"
_NAMES: Final = ("string", "concatenated string", "sliced string")


@dataclass(frozen=True, slots=True)
class ModuleCode:
    """What holds the variables of each evaluated module, and the string that names its file.

    The body has a scope with those of its own; each that is exported lies in a cell.
    """

    bodies: U32
    labels: U32
    files: U32
    """strings: the whole path of each"""

    def placed(self, places: SparsePlaces) -> SparsePlaces:
        """`places`, in which these have a file and no line: in which one a variable is made is not known."""
        return SparsePlaces(
            np.concatenate((places.objects, self.bodies)),
            np.concatenate((places.files, self.files)),
            np.concatenate((places.lines, np.zeros(len(self.bodies), np.uint32))),
        )


def modules_of(
    raw: RawSnapshot, strings: Strings, references: References, places: SparsePlaces
) -> ModuleCode:
    """Those of the program, of its packages too; the runtime's own and leakscan's are left out.

    What a cell of an export holds is labelled as a variable.
    """
    nodes = np.flatnonzero(np.isin(raw.node_names, strings.all(MODULE)))
    label = strings.add(_CODE)
    is_cell: Bools = np.isin(raw.node_names, strings.all(CELL))
    is_name: Bools = mask(raw, _NAMES)[raw.node_types]
    bodies: dict[int, str] = {}
    files: dict[int, int] = {}
    for node in nodes.tolist():
        refs = np.arange(int(references.first[node]), int(references.first[node + 1]))
        is_part = (references.kinds[refs] == Kind.SLOT) & (references.labels[refs] == label)
        parts = references.targets[refs[is_part]].tolist()
        named = {part: strings.spelled(places[part][0]) for part in parts if part in places}
        for body, file in named.items():
            if file and DRIVER not in file and not file.startswith(INTERNAL_SCRIPTS):
                cells = [cell for part in parts for cell in _exports(raw, references, part, is_cell, is_name)]
                bodies |= dict.fromkeys((body, *cells), file)
                files |= dict.fromkeys((body, *cells), places[body][0])
    for file, cell in _of_common_js(raw, strings, references, is_cell, is_name):
        bodies[cell], files[cell] = file, strings.add(file)
    names = _short_names(sorted(set(bodies.values())))
    chosen = sorted(bodies)
    return ModuleCode(
        np.array(chosen, np.uint32),
        np.array([strings.add(names[bodies[body]]) for body in chosen], np.uint32),
        np.array([files[body] for body in chosen], np.uint32),
    )


def _of_common_js(
    raw: RawSnapshot, strings: Strings, references: References, is_cell: Bools, is_name: Bools
) -> Iterator[tuple[str, int]]:
    """(file, cell of an export) of the CommonJS modules that an ES module imports, also of packages."""
    for node in np.flatnonzero(np.isin(raw.node_names, strings.all(SYNTHETIC_MODULE))).tolist():
        refs = range(int(references.first[node]), int(references.first[node + 1]))
        inside = [int(references.targets[ref]) for ref in refs]
        file = next((file_of(strings[int(raw.node_names[part])]) for part in inside if is_name[part]), "")
        if not file.startswith("/") or DRIVER in file:
            continue
        for part in inside:
            if not is_name[part]:
                yield from ((file, cell) for cell in _exports(raw, references, part, is_cell, is_name))


def _exports(
    raw: RawSnapshot, references: References, table: int, is_cell: Bools, is_name: Bools
) -> Iterator[int]:
    """The cells of what a module exports, whose values are labelled by their names.

    They lie behind their names in a hash table (`Module::exports`, V8's src/objects/module.h).
    """
    refs = range(int(references.first[table]), int(references.first[table + 1]))
    items = {
        int(references.labels[ref]): int(references.targets[ref])
        for ref in refs
        if references.kinds[ref] == Kind.INDEX
    }
    for index, name in items.items():
        cell = items.get(index + 1)
        if cell is None or not is_cell[cell] or not is_name[name]:
            continue
        for ref in range(int(references.first[cell]), int(references.first[cell + 1])):
            if references.kinds[ref] == Kind.SLOT:
                references.kinds[ref] = Kind.CLOSURE
                references.labels[ref] = raw.node_names[name]
        yield cell


def _short_names(files: list[str]) -> dict[str, str]:
    """The last part of each path, and as many more as it takes to tell it from the others."""
    names = {file: posixpath.basename(file) for file in files}
    while True:
        shared: dict[str, list[str]] = {}
        for file, name in names.items():
            shared.setdefault(name, []).append(file)
        longer = {
            file: "/".join(file.split("/")[-(name.count("/") + 2) :])
            for name, of_name in shared.items()
            for file in of_name
            if len(of_name) > 1
        }
        if not any(names[file] != name for file, name in longer.items()):
            return names
        names |= longer
