"""Writes the columns of a heap as Parquet files, for DuckDB, Polars or a cluster engine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from leakscan.errors import UsageError
from leakscan.heap.graph import HeapGraph
from leakscan.heap.texts import names_in, texts_of, values_of

SCHEMA_VERSION: Final = 1
"""Counts changes after which a reader of the files would fail or misread them (docs/howto/export.md)."""


def export_parquet(graph: HeapGraph, folder: Path) -> tuple[Path, ...]:
    """Writes objects, references, roots, types, strings and texts into `folder`, which it makes if need be.

    Columns are those of docs/format.md, a reference also has its source. UsageError without pyarrow.
    """
    try:
        # By name: an optional package whose stubs need not be there.
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed", hint="install the `parquet` extra, or pyarrow"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, columns in _tables(graph, pyarrow).items():
        path = folder / f"{name}.parquet"
        table = pyarrow.table(dict(columns)).replace_schema_metadata({"leakscan_schema": str(SCHEMA_VERSION)})
        parquet.write_table(table, path, compression="zstd")
        written.append(path)
    return tuple(written)


def _tables(graph: HeapGraph, pyarrow: Any) -> Mapping[str, Mapping[str, Any]]:  # Any: a module; arrays
    names, texts, said = names_in(graph), texts_of(graph), values_of(graph)
    objects = np.arange(graph.object_count, dtype=np.uint32)
    return {
        "objects": {
            "object": objects,
            "address": graph.addresses,
            "type": graph.type_ids,
            "size": graph.sizes,
            "refcount": graph.refcounts,
            "birth": graph.births,
            "flags": graph.flags,
            "site": graph.sites,
        },
        "references": {
            "source": np.repeat(objects, np.diff(graph.first_ref).astype(np.int64)),
            "target": graph.ref_targets,
            "kind": graph.ref_kinds,
            "label": graph.ref_labels,
        },
        "roots": {
            "kind": graph.roots.kinds,
            "label": graph.roots.labels,
            "target": graph.roots.targets,
            "flags": graph.roots.flags,
        },
        "types": {
            "type": np.arange(len(graph.types), dtype=np.uint32),
            "name": list(graph.type_names),
            "object": graph.types.objects,
            "flags": graph.types.flags,
        },
        "strings": {"string": names, "text": [graph.strings[number] for number in names.tolist()]},
        "texts": {
            "object": texts.objects,
            "length": texts.lengths,
            "hash": texts.hashes,
            "value": pyarrow.array([said.get(each) for each in texts.hashes.tolist()], pyarrow.string()),
        },
    }
