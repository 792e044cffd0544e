"""Types by growth: how many before and after, how many of each run are alive, what they retain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from leakscan.analysis.births.survivors import Mask, Survivors
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.modules import Modules, Tier
from leakscan.analysis.graph.region import Region
from leakscan.analysis.judge.ranks import ORDER, rank
from leakscan.analysis.results.findings import Growth, Verdict
from leakscan.heap.census import TypeCensus, census, row_names
from leakscan.heap.graph import HeapGraph

_MOST_RETAINED: Final = 24
_FEWEST_RETAINED: Final = 3
_REFERENCES_WALKED: Final = 30_000_000
"""to find out what sets of objects retain: about half a second"""


def growth_rows(
    old: TypeCensus,
    after: HeapGraph,
    survivors: Survivors,
    modules: Modules,
    region: Region,
    *,
    runs: int,
    verdicts: Mapping[str, Verdict],
) -> tuple[Growth, ...]:
    """One row for each type with survivors or with another count than before, in the census `old`.

    Leaking types first, the application's before builtin ones, then by retained bytes. Types of one name are
    one row. leakscan's own objects are not counted. `verdicts` are those of the causes, by type.
    """
    new = census(after)
    births = births_by_type(after, survivors, runs)
    tiers = _tier_by_name(after, modules)
    rows = []
    for name in sorted({*old, *new}):
        count_before, bytes_before = old.get(name, (0, 0))
        count_after, bytes_after = new.get(name, (0, 0))
        born = births.get(name)
        if born is None and count_before == count_after:
            continue
        rows.append(
            Growth(
                name,
                count_before,
                count_after,
                bytes_before,
                bytes_after,
                born or (),
                (count_after - count_before) / runs if runs else 0.0,
                None,
                verdicts.get(name, Verdict.CLEAN),
            )
        )
    rows.sort(key=lambda row: _importance(row, tiers))
    rows = _with_retained(rows, after, region)
    return tuple(sorted(rows, key=lambda row: _importance(row, tiers)))


def _importance(row: Growth, tiers: Mapping[str, int]) -> tuple[int, bool, int, int, str]:
    is_builtin = tiers.get(row.type_name, Tier.BUILTIN) > Tier.LIBRARY
    grown = row.bytes_after - row.bytes_before if row.retained_bytes is None else row.retained_bytes
    return rank(row.verdict), is_builtin, -grown, -row.delta, row.type_name


def births_by_type(after: HeapGraph, survivors: Survivors, runs: int) -> dict[str, tuple[int, ...]]:
    """Survivors of each type by the run they were born in; all zero where no birth is known."""
    types = after.type_ids[survivors.objects]
    columns = runs + 1
    runs_of = np.minimum(survivors.births, runs).astype(np.int64)
    rows, row_of = np.unique(types, return_inverse=True)
    table = np.bincount(row_of * columns + runs_of, minlength=len(rows) * columns).reshape(-1, columns)
    found: dict[str, tuple[int, ...]] = {}
    names = row_names(after)
    for row, counts in zip(rows.tolist(), table.tolist(), strict=True):
        name = names[row]
        known = found.get(name)
        born = counts[1:]
        found[name] = tuple(born if known is None else map(int.__add__, known, born))
    return found


def _tier_by_name(after: HeapGraph, modules: Modules) -> dict[str, int]:
    return dict(zip(row_names(after), modules.type_tiers.tolist(), strict=True))


def types_measured(walk: int) -> int:
    """Of how many types the retained bytes are found out when each takes a walk of so many references."""
    return min(_MOST_RETAINED, max(_FEWEST_RETAINED, _REFERENCES_WALKED // max(1, walk)))


def _with_retained(rows: list[Growth], after: HeapGraph, region: Region) -> list[Growth]:
    """Fills in what the survivors of the first types retain, as far as the walk stays short."""
    affordable = types_measured(len(region.csr.targets) + len(region))
    starts = region.starts()
    reached = kernels.reachable(region.csr, roots=starts)
    type_rows: dict[str, list[int]] = {}
    for number, name in enumerate(row_names(after)):
        type_rows.setdefault(name, []).append(number)
    types = after.type_ids[region.objects]
    filled = []
    for row in rows:
        if affordable and any(row.births) and row.verdict in ORDER[:4]:
            affordable -= 1
            members: Mask = np.isin(types, type_rows[row.type_name]) & region.is_new
            retained = kernels.only_through(region.csr, members, roots=starts, reached=reached)
            filled.append(replace(row, retained_bytes=int(region.sizes[retained].sum())))
        else:
            filled.append(row)
    return filled
