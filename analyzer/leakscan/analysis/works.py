"""The leaks with whose requests they are: `with_works`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from leakscan.analysis.assemble import Judged
from leakscan.analysis.births.survivors import Mask
from leakscan.analysis.births.works import (
    MOST_TOLD,
    begun_between,
    new_in_group,
    of_all,
    shares,
    works_of,
)
from leakscan.analysis.graph.region import Region
from leakscan.analysis.graph.sizes import SizeLedger
from leakscan.analysis.results.findings import Findings
from leakscan.heap.graph import U16, U64, HeapGraph
from leakscan.wording import count_text


@dataclass(frozen=True, slots=True)
class Works:
    """The work of each object of the later snapshot, and how many of each began."""

    graph: HeapGraph
    of_object: U16
    begun: U64


def works_between(before: HeapGraph, after: HeapGraph, is_new: Mask) -> Works | None:
    """None: the program names no works."""
    of_object = works_of(after, is_new)
    return None if of_object is None else Works(after, of_object, begun_between(before, after))


def with_works(works: Works, judged: Sequence[Judged], region: Region, ledger: SizeLedger) -> list[Judged]:
    """Each leak with its share of every work."""
    return [_with_works(works, one, region, ledger) for one in judged]


def _with_works(works: Works, one: Judged, region: Region, ledger: SizeLedger) -> Judged:
    if one.group is None:
        return one
    mine = new_in_group(ledger.owner, one.number, region.is_new)
    found = shares(
        works.graph,
        works.begun,
        works=works.of_object[region.objects[mine]],
        sizes=region.sizes[mine],
        heads=works.of_object[one.group.heads],
    )
    return replace(one, leak=replace(one.leak, works=found))


def told_works(works: Works, findings: Findings) -> Findings:
    """The findings with what each work left in their leaks, and those that left nothing."""
    found = of_all(works.graph, works.begun, [leak.works for leak in findings.leaks])
    omitted = findings.omitted
    if len(found) > MOST_TOLD:
        omitted = (*omitted, f"{count_text(len(found) - MOST_TOLD)} more kinds of work")
    return replace(findings, works=found[:MOST_TOLD], omitted=omitted)
