"""The rows of each table as columns, made when a query names the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.findings import CutMember, Findings, Leak
from leakscan.answers.query.schema import TABLES
from leakscan.heap.graph import HeapGraph
from leakscan.heap.kinds import (
    BIRTH_OWN,
    BIRTH_UNKNOWN,
    BIRTH_WAITING,
    BORROWED,
    IMMORTAL,
    KIND_MASK,
    NO_OBJECT,
    Kind,
    ObjectFlag,
    RootKind,
)
from leakscan.heap.texts import names_in, texts_of, values_of

Columns = Mapping[str, Any]
"""Name of a column to a numpy array, masked where values are NULL."""
_DTYPES: Final = {
    "UINTEGER": np.uint32,
    "UBIGINT": np.uint64,
    "USMALLINT": np.uint16,
    "DOUBLE": np.float64,
    "BOOLEAN": np.bool_,
    "VARCHAR": object,
}


def heap_tables(graph: HeapGraph) -> Mapping[str, Callable[[], Columns]]:
    """What one snapshot says, by the name of the table."""
    return {
        "objects": lambda: _objects(graph),
        "refs": lambda: _refs(graph),
        "roots": lambda: _rows("roots", _roots(graph)),
        "types": lambda: _rows("types", _types(graph)),
        "strings": lambda: _strings(graph),
        "texts": lambda: _texts(graph),
        "names": lambda: _rows(
            "names", [(obj, graph.strings[at]) for obj, at in sorted(graph.names.items())]
        ),
        "locations": lambda: _rows("locations", _locations(graph)),
        "sites": lambda: _rows("sites", _sites(graph)),
        "dominators": lambda: _dominators(graph),
    }


def answer_tables(findings: Callable[[], Findings]) -> Mapping[str, Callable[[], Columns]]:
    """What `diff` says, by the name of the table; `findings` is called when one of them is wanted."""
    return {
        "leaks": lambda: _rows("leaks", _leaks(findings())),
        "paths": lambda: _rows("paths", _paths(findings())),
        "cuts": lambda: _rows("cuts", _cuts(findings())),
        "growth": lambda: _rows("growth", _growth(findings())),
        "runs": lambda: _rows(
            "runs",
            [(row.run, row.object_count, row.object_bytes, row.rss_bytes) for row in findings().per_run],
        ),
    }


def _objects(graph: HeapGraph) -> Columns:
    births = graph.births
    is_dated = births < BIRTH_WAITING
    is_known = (births != BIRTH_UNKNOWN) & (births != BIRTH_OWN)
    counts = graph.refcounts
    no_count = np.full(len(counts), graph.runtime == "v8") | (counts == IMMORTAL)
    sites = graph.sites if len(graph.sites) else np.zeros(graph.object_count, np.uint32)
    return {
        "object": np.arange(graph.object_count, dtype=np.uint32),
        "type": graph.type_ids,
        "size": np.asarray(graph.sizes, np.uint64),
        "refcount": np.ma.array(counts, mask=no_count),
        "birth": np.ma.array(births, mask=~is_dated),
        "is_new": np.ma.array((births > 0) & is_known, mask=~is_known),
        "has_finalizer": (graph.flags & np.uint8(ObjectFlag.FINALIZER)) != 0,
        "is_own": (graph.flags & np.uint8(ObjectFlag.OWN)) != 0,
        "site": np.ma.array(sites, mask=sites == 0),
    }


def _refs(graph: HeapGraph) -> Columns:
    objects = np.arange(graph.object_count, dtype=np.uint32)
    return {
        "source": np.repeat(objects, np.diff(graph.first_ref).astype(np.int64)),
        "target": graph.ref_targets,
        "kind": graph.ref_kinds,
        "label": graph.ref_labels,
    }


def kind_names() -> list[str]:
    """Names of the kinds of references, by number."""
    last = max(Kind)
    return [Kind(number).name.lower() for number in range(last + 1)]


def refs_view() -> str:
    """What makes the table `refs` of its columns: numbers of kinds become names, and tell weak ones."""
    cases = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(kind_names()))
    bare = f"(kind & {KIND_MASK})"
    weak = f"(kind >= {BORROWED} OR {bare} IN ({int(Kind.WEAK)}, {int(Kind.EPHEMERON)}))"
    return (
        f"SELECT source, target, CASE {bare} {cases} END AS kind, label, {weak} AS is_weak FROM refs_numbers"
    )


def _texts(graph: HeapGraph) -> Columns:
    texts, said = texts_of(graph), values_of(graph)
    values = np.full(len(texts.objects), None, object)
    if said:
        values[:] = [said.get(each) for each in texts.hashes.tolist()]
    return {"object": texts.objects, "length": texts.lengths, "hash": texts.hashes, "value": values}


def _strings(graph: HeapGraph) -> Columns:
    numbers = names_in(graph)
    texts = np.empty(len(numbers), object)
    for row, number in enumerate(numbers.tolist()):
        texts[row] = graph.strings[number]
    return {"string": numbers, "text": texts}


def _roots(graph: HeapGraph) -> list[tuple[Any, ...]]:
    return [
        (RootKind(kind).name.lower(), graph.strings[label], target)
        for kind, label, target in zip(
            graph.roots.kinds.tolist(), graph.roots.labels.tolist(), graph.roots.targets.tolist(), strict=True
        )
    ]


def _types(graph: HeapGraph) -> list[tuple[Any, ...]]:
    objects = [None if obj == NO_OBJECT else obj for obj in graph.types.objects.tolist()]
    modules = [graph.strings[number] for number in graph.types.modules.tolist()]
    return list(zip(range(len(objects)), graph.type_names, modules, objects, strict=True))


def _locations(graph: HeapGraph) -> list[tuple[Any, ...]]:
    return [(obj, graph.strings[file], line) for obj, (file, line) in sorted(graph.locations.items())]


def _sites(graph: HeapGraph) -> list[tuple[Any, ...]]:
    columns = (graph.site_files.tolist(), graph.site_lines.tolist(), graph.site_functions.tolist())
    return [
        (number, graph.strings[file], line, graph.strings[function])
        for number, (file, line, function) in enumerate(zip(*columns, strict=True), 1)
    ]


def _dominators(graph: HeapGraph) -> Columns:
    life = liveness(graph)
    tree = kernels.dominators(life.csr, roots=life.anchors, skip=life.weak)
    reached = np.flatnonzero(tree.idom != kernels.NO).astype(np.uint32)
    above = tree.idom[reached]
    return {
        "object": reached,
        "dominator": np.ma.array(above, mask=above == graph.object_count),
        "retained": tree.retained_sizes(graph.sizes)[reached],
        "retained_objects": tree.retained_sizes(np.ones(graph.object_count, np.uint32))[reached],
    }


def _numbered(findings: Findings) -> list[tuple[int, str, Leak]]:
    roles = (("leak", findings.leaks), ("other", findings.others), ("noise", findings.noise))
    told = [(role, leak) for role, leaks in roles for leak in leaks]
    return [(number, role, leak) for number, (role, leak) in enumerate(told)]


def _leaks(findings: Findings) -> list[tuple[Any, ...]]:
    return [
        (
            number,
            leak.signature,
            role,
            leak.verdict.value,
            leak.type_name,
            leak.name,
            leak.count,
            leak.exclusive_bytes,
            leak.rate,
            leak.first_run,
            leak.last_run,
            leak.holder.label if leak.holder else None,
            leak.holder.file if leak.holder else "",
            leak.holder.line if leak.holder else 0,
            leak.evidence,
        )
        for number, role, leak in _numbered(findings)
    ]


def _paths(findings: Findings) -> list[tuple[Any, ...]]:
    return [
        (
            number,
            at,
            step_number,
            path.root,
            step.reference,
            step.type_name,
            step.is_holder,
            step.is_survivor,
            step.is_new,
            step.file,
            step.line,
        )
        for number, _, leak in _numbered(findings)
        for at, path in enumerate((leak.path, *leak.also_held_by))
        for step_number, step in enumerate(path.steps)
    ]


def _cuts(findings: Findings) -> list[tuple[Any, ...]]:
    together = findings.cut.members if findings.cut else ()
    rows = [_cut(None, member) for member in together]
    for number, _, leak in _numbered(findings):
        rows += [_cut(number, member) for member in (leak.cut.members if leak.cut else ())]
    return rows


def _cut(leak: int | None, member: CutMember) -> tuple[Any, ...]:
    return (leak, member.pattern, member.reference_count, member.frees_alone, member.file, member.line)


def _growth(findings: Findings) -> list[tuple[Any, ...]]:
    return [
        (
            row.type_name,
            row.count_before,
            row.count_after,
            row.bytes_before,
            row.bytes_after,
            row.per_run,
            row.verdict.value,
        )
        for row in findings.growth
    ]


def _rows(table: str, rows: Sequence[tuple[Any, ...]]) -> Columns:
    """Rows as columns of the types that the schema says; None is NULL."""
    columns: dict[str, Any] = {}
    for at, (name, kind, _) in enumerate(TABLES[table].columns):
        values = [row[at] for row in rows]
        if kind == "VARCHAR":
            column = np.empty(len(values), object)
            column[:] = values
        else:
            empty = [value is None for value in values]
            filled: Any = np.array([0 if value is None else value for value in values], _DTYPES[kind])
            column = np.ma.array(filled, mask=empty) if any(empty) else filled
        columns[name] = column
    return columns
