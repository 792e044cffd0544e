"""All that can be kept about a capture without its heap: a capsule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leakscan.analysis.capsule import Capsule
from leakscan.analysis.cuts.combinations import cut_combinations
from leakscan.analysis.one_snapshot import paths_to_type, top_of
from leakscan.analysis.results.findings import Findings
from leakscan.answers.analyse import analysed
from leakscan.answers.capsules import capsule_at
from leakscan.answers.sources import pair_of
from leakscan.errors import CaptureError
from leakscan.heap.reader import load

MOST_PATTERNS = 5
"""Every combination is searched for: 2 to the power of this many."""
_MOST_TYPES = 8
_MOST_DOMINATORS = 10


def capsule_of(snapshots: list[Path], *, type_name: str | None = None, with_paths: bool = True) -> Capsule:
    """The capsule at `snapshots`, or all that one can hold about these snapshots."""
    capsule = capsule_at(snapshots, type_name=type_name)
    if capsule is not None:
        return capsule
    findings, unreadable = analysed(snapshots, type_name=type_name)
    capsule = Capsule(
        findings=tuple(findings),
        unreadable=tuple((mode.mode, mode.reason) for mode in unreadable),
        patterns=(),
        answers=(),
        paths=(),
        cut_out=("the heap: only the answers kept in the capsule can be shown",),
    )
    if len(findings) > 1:
        said = "what-if answers, paths and top: a capsule of several modes has none, bundle DIR/MODE for them"
        return replace(capsule, cut_out=(*capsule.cut_out, said))
    return _with_answers(capsule, snapshots, with_paths=with_paths)


def only_findings(findings: Findings) -> Capsule:
    """A capsule of these findings and nothing else."""
    return Capsule((findings,), (), (), (), (), ())


def _with_answers(capsule: Capsule, snapshots: list[Path], *, with_paths: bool) -> Capsule:
    findings = capsule.findings[0]
    try:
        first, last = pair_of(snapshots)
    except CaptureError as error:
        said = f"what-if answers, paths and top: {error.message}"
        return replace(capsule, cut_out=(*capsule.cut_out, said))
    after = load(last)
    patterns = cut_patterns(findings)
    answers = cut_combinations(load(first, columns=()), after, patterns) if first and patterns else ()
    kinds = [] if not with_paths else list(dict.fromkeys(leak.type_name for leak in findings.leaks))
    paths = tuple(replace(paths_to_type(after, kind, limit=10), asked=kind) for kind in kinds[:_MOST_TYPES])
    missing = []
    proposed = len(cut_patterns(findings, limit=None))
    if proposed > len(patterns):
        missing.append(f"what-if answers beyond the first {len(patterns)} of {proposed} references to cut")
    if len(kinds) > len(paths):
        missing.append(f"paths to {len(kinds) - len(paths)} of {len(kinds)} types that leak")
    return replace(
        capsule,
        patterns=patterns,
        answers=answers,
        paths=paths,
        cut_out=(*capsule.cut_out, *missing),
        top=top_of(after, limit=_MOST_DOMINATORS, depth=2) if with_paths else None,
    )


def cut_patterns(findings: Findings, *, limit: int | None = MOST_PATTERNS) -> tuple[str, ...]:
    """The references that the report proposes to cut: those that free all leaks together come first."""
    cuts = [findings.cut, *(leak.cut for leak in findings.leaks)]
    found = (member.pattern for cut in cuts if cut is not None for member in cut.members)
    return tuple(dict.fromkeys(found))[:limit]
