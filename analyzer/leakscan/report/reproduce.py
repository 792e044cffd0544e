"""What was measured, and what to type to measure it again."""

from __future__ import annotations

import shlex

from leakscan import __version__
from leakscan.analysis.headline import command_captured, mode_option
from leakscan.analysis.results.findings import Findings
from leakscan.wording import count_text, visible


def commands(findings: Findings) -> str:
    """The commands that give this report again."""
    if not findings.target:
        return "leakscan diff before.heap after.heap"
    options = f"--runs {findings.runs} --warmup {findings.warmup}{mode_option(findings)} -o leak/"
    command = visible(command_captured(findings))
    target = "" if command else shlex.quote(visible(findings.target)) + " "
    capture = f"leakscan capture {target}{options} {command}".rstrip()
    return f"{capture}\nleakscan diff leak/"


def measured(findings: Findings, *, with_tool: bool = True) -> str:
    """Scenario, runs, mode, runtime and how new was told from old, on one line."""
    runs = f"1 {findings.unit}" if findings.runs == 1 else f"{count_text(findings.runs)} {findings.unit}s"
    if findings.warmup:
        runs += f" after {count_text(findings.warmup)} warm-up runs"
    parts = [
        visible(findings.target),
        runs if findings.runs else "",
        f"mode {visible(findings.mode)}" if findings.mode else "",
        visible(findings.runtime),
        f"new told from old by {visible(findings.identity)}",
        f"leakscan {__version__}" if with_tool else "",
    ]
    return ", ".join(part for part in parts if part)
