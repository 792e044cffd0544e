"""The few phrases of the rules, and the one way to say that something is not decided."""

from __future__ import annotations

from leakscan.analysis.judge.history import History, Judgement
from leakscan.analysis.results.findings import Verdict
from leakscan.wording import count_text


def undecided(history: History, why: str) -> Judgement:
    return Judgement(Verdict.INCONCLUSIVE, why, runs_needed=round_up(3 * history.runs))


def round_up(runs: int) -> int:
    return max(20, -(-runs // 10) * 10)


def alive_text(history: History) -> str:
    return f"{count_text(history.total)} alive"


def runs_text(count: int) -> str:
    return "1 run" if count == 1 else f"{count_text(count)} runs"


def listed_text(runs: list[int]) -> str:
    return str(runs[0]) if len(runs) == 1 else f"{', '.join(map(str, runs[:-1]))} and {runs[-1]}"
