"""Numbers for the objects of an answer's paths: 1, 2, 3 in the order in which a reader meets them.

Positions in a snapshot would do for telling objects apart, but they differ from one capture to the next.
"""

from __future__ import annotations

from dataclasses import replace

from leakscan.analysis.results.findings import Findings, Leak, Path


class Numbering:
    """Gives each object the next free number when it is met; 0, an object that is not known, stays 0."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {0: 0}

    def path(self, path: Path) -> Path:
        steps = (
            replace(step, object=self._numbers.setdefault(step.object, len(self._numbers)))
            for step in path.steps
        )
        return replace(path, steps=tuple(steps))

    def leak(self, leak: Leak) -> Leak:
        return replace(
            leak, path=self.path(leak.path), also_held_by=tuple(self.path(path) for path in leak.also_held_by)
        )


def numbered(findings: Findings) -> Findings:
    """The same findings, their objects numbered from 1."""
    numbering = Numbering()
    return replace(
        findings,
        leaks=tuple(map(numbering.leak, findings.leaks)),
        others=tuple(map(numbering.leak, findings.others)),
        noise=tuple(map(numbering.leak, findings.noise)),
    )
