"""Modules of the program in a V8 heap: where a reader expects the path to a module's variable to begin.

V8 has no root for them: they hang below the loader of the runtime, a dozen references away.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Final

import numpy as np

from leakscan.heap.graph import U32
from leakscan.heap.kinds import Kind
from leakscan.heap.sparse import SparsePlaces
from leakscan.heap.v8 import RawSnapshot
from leakscan.heap.v8_driver import DRIVER
from leakscan.heap.v8_names import INTERNAL_SCRIPTS
from leakscan.heap.v8_strings import Strings
from leakscan.heap.v8_types import References

_MODULE: Final = "system / SourceTextModule"
_CODE: Final = "[[Module]]"


@dataclass(frozen=True, slots=True)
class ModuleCode:
    """The body of each evaluated module, which holds its variables, and the string that names its file."""

    bodies: U32
    labels: U32


def modules_of(
    raw: RawSnapshot, strings: Strings, references: References, places: SparsePlaces
) -> ModuleCode:
    """Those of the program, of its packages too; the runtime's own and leakscan's are left out."""
    nodes = np.flatnonzero(np.isin(raw.node_names, strings.all(_MODULE)))
    label = strings.add(_CODE)
    bodies: dict[int, str] = {}
    for node in nodes.tolist():
        for ref in range(int(references.first[node]), int(references.first[node + 1])):
            body = int(references.targets[ref])
            is_code = references.kinds[ref] == Kind.SLOT and references.labels[ref] == label
            if is_code and body in places:
                file = strings.spelled(places[body][0])
                if file and DRIVER not in file and not file.startswith(INTERNAL_SCRIPTS):
                    bodies[body] = file
    names = _short_names(sorted(set(bodies.values())))
    chosen = sorted(bodies)
    return ModuleCode(
        np.array(chosen, np.uint32),
        np.array([strings.add(names[bodies[body]]) for body in chosen], np.uint32),
    )


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
