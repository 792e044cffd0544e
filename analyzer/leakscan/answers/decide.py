"""What `leakscan capture` asks of a target that has done its runs: more of them, or to try the cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leakscan.analysis.results.findings import Cut, Findings
    from leakscan.capture import Blame, Capture, MadeIn, MoreRuns, Prove


def decision(
    *, most_runs: int, is_proof_wanted: bool, is_blame_wanted: bool = False
) -> Callable[[Capture], MoreRuns | Prove | Blame | MadeIn | None]:
    """Ask for more runs until the verdict is decided or `most_runs` are done, then for what is wanted.

    One experiment first, then, as the last thing, who fills the containers.
    """

    def decide(captured: Capture) -> MoreRuns | Prove | Blame | MadeIn | None:
        from leakscan.analysis.results.findings import Verdict
        from leakscan.answers.analyse import analysed_capture
        from leakscan.answers.blame import blame_of
        from leakscan.answers.made_in import made_in
        from leakscan.capture import MoreRuns

        if captured.blame is not None:
            return made_in(captured)
        if captured.proof is not None and not is_blame_wanted:
            return None
        findings = analysed_capture(captured)
        if captured.proof is not None:
            return blame_of(captured, findings)
        if findings.verdict is Verdict.INCONCLUSIVE and captured.runs_completed < most_runs:
            return MoreRuns(min(most_runs, 2 * captured.runs_completed))
        asked = _experiment(captured, findings) if is_proof_wanted else None
        return asked or (blame_of(captured, findings) if is_blame_wanted else None)

    return decide


def _experiment(captured: Capture, findings: Findings) -> Prove | None:
    from leakscan.analysis.births.survivors import find_survivors
    from leakscan.analysis.cuts.proof_plan import plan_proof, survivors_to_count
    from leakscan.analysis.graph.garbage import liveness
    from leakscan.capture import Prove
    from leakscan.heap.reader import load

    cut = _cut_of(findings)
    if cut is None:
        return None
    after = load(captured.after)
    life = liveness(after)
    types = tuple(sorted({leak.type_name for leak in findings.leaks}))
    is_new = find_survivors(load(captured.before, columns=()), after).is_new
    patterns = tuple(member.pattern for member in cut.members)
    survivors = survivors_to_count(after, life, cut=patterns, types=types, is_new=is_new)
    plan = plan_proof(after, life, cut=patterns, survivors=survivors)
    return Prove(
        cut=patterns,
        types=types,
        references=plan.references,
        survivors=plan.survivors,
        others=plan.others,
    )


def _cut_of(findings: Findings) -> Cut | None:
    if findings.cut is not None or not findings.leaks:
        return findings.cut
    return findings.leaks[0].cut
