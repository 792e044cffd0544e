"""The strings of a V8 snapshot, and small questions about its types of node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from leakscan import _native
from leakscan.heap import v8_names as names
from leakscan.heap.graph import StringTable
from leakscan.heap.v8 import RawSnapshot

NO_STRING: Final = 0xFFFFFFFF
VARIABLE: Final = 0xFFFFFFFE
"""In place of the label of hidden edges: they lead to variables of a block."""


class Strings:
    """The strings of the file, string 0 made empty, and those that leakscan adds."""

    def __init__(self, raw: RawSnapshot) -> None:
        self.bytes, self.ends = raw.string_bytes, raw.string_ends
        self._added: dict[str, int] = {}
        self._texts: list[str] = []
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

    def spelled(self, index: int) -> str:
        """The string with that number, also when leakscan added it."""
        own = index - len(self.ends)
        return self[index] if own < 0 else self._texts[own]

    def all(self, name: str) -> list[int]:
        """Indexes of the strings that match a name of `v8_names`."""
        return self._found[name]

    def one(self, name: str) -> int:
        return next(iter(self.all(name)), NO_STRING)

    def add(self, text: str) -> int:
        if text not in self._added:
            self._added[text] = self.next()
            self._texts.append(text)
        return self._added[text]

    def next(self) -> int:
        """The number that the next string to be added gets."""
        return len(self.ends) + len(self._texts)

    def append(self, text: str) -> None:
        """Adds `text` under the next number, even when it was added before."""
        self._texts.append(text)

    def table(self) -> StringTable:
        encoded = [text.encode("utf-8", "replace") for text in self._texts]
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
        moved = self.add(first)
        raw.node_names[raw.node_names == 0] = moved
        # Most zeros are the numbers of elements.
        nameless = np.flatnonzero(raw.edge_names == 0)
        is_number = np.isin(raw.edge_types[nameless], _numbers(raw.edge_type_names, names.NUMBERED_EDGES))
        raw.edge_names[nameless[~is_number]] = moved


_WANTED: Final = tuple(
    dict.fromkeys(
        [
            *(*names.CLASS_OF_NAME, *names.INTERNAL_EDGES, *names.HIDDEN_EDGES),
            *(*names.SCRIPT_EDGES, *names.MARKS, *names.ENGINE_PREFIXES),
            *("shared", "<*", names.EXTERNAL_STRING, names.NATIVE_CONTEXT, names.CONTEXT),
            *(
                "prototype",
                "Generator",
                names.PROXY,
                names.ACCESSORS,
                names.MODULE,
                names.SYNTHETIC_MODULE,
                names.CELL,
            ),
        ]
    )
)


def mask(raw: RawSnapshot, types: Iterable[str]) -> npt.NDArray[np.bool_]:
    """For each type of node of the file, whether it is one of `types`."""
    wanted = set(types)
    return np.array([name in wanted for name in raw.node_type_names], np.bool_)


def _numbers(all_names: tuple[str, ...], wanted: Iterable[str]) -> list[int]:
    return [all_names.index(name) for name in wanted if name in all_names]
