"""Types whose objects may keep memory that the walk cannot see: that of the C libraries behind them."""

from __future__ import annotations

from typing import Final

import numpy as np

from leakscan.analysis.graph.modules import Modules, Tier
from leakscan.analysis.graph.refs import order_of, type_rows

_COMPILED: Final = (".so", ".pyd", ".dylib")
_OF_THE_STDLIB: Final = frozenset(
    """
    _ssl _sqlite3 sqlite3 zlib _bz2 _lzma _zstd pyexpat _elementtree _hashlib _blake2 _hmac _ctypes _decimal
    _socket select mmap _io _curses _curses_panel _tkinter _multibytecodec unicodedata _dbm _gdbm _lsprof
    """.split()  # noqa: SIM905 - a table of words
)
"""Its compiled modules whose objects have buffers, handles or contexts of a library."""


def extension_types(modules: Modules) -> frozenset[str]:
    """Names of the types that are of a compiled module, or made from one; of CPython only. O(types)."""
    graph = modules.graph
    if graph.runtime != "cpython":
        return frozenset()
    files = _files(modules)
    rows = type_rows(graph)
    is_compiled = np.array([_is_compiled(name, modules, files) for name in modules.type_modules], np.bool_)
    inherits = {
        row
        for obj, row in rows.items()
        if any(is_compiled[rows[base]] for base in order_of(graph, obj) if base in rows)
    }
    return frozenset(graph.type_names[row] for row in {*np.flatnonzero(is_compiled).tolist(), *inherits})


def _files(modules: Modules) -> dict[str, str]:
    places = [modules.graph.location_of(obj) for obj in modules.objects.tolist()]
    return {name: place.file for name, place in zip(modules.names, places, strict=True) if place}


def _is_compiled(module: str, modules: Modules, files: dict[str, str]) -> bool:
    if module in ("", "builtins"):
        return False
    if modules.tier_by_name.get(module, Tier.APPLICATION) is Tier.STDLIB:
        return module in _OF_THE_STDLIB
    return files.get(module, "").endswith(_COMPILED)
