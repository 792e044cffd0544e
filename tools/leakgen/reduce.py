"""Takes families out of a program as long as leakscan goes on failing in the same way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .judge import Score, run_one
from .program import Program, without


def reduce(program: Program, leakscan: str, python: str, keep: Path | None) -> Program:
    """The smallest program found: flat, its steps called directly, with as few families as will do."""

    def fails(candidate: Program) -> set[str]:
        score = run_one(candidate, leakscan, python, keep)
        print(f"  {_short(score)}  {' '.join(f.family for f in candidate.fragments if f.code)}", flush=True)
        return {check for check, value in score.checks.items() if value is False}

    wanted = fails(program)
    if not wanted:
        return program
    for simpler in _simpler(program):
        if wanted & fails(simpler):
            program = simpler
            break
    gone: set[str] = set()
    for family in [f.family for f in reversed(program.fragments) if f.code]:
        if wanted & fails(without(program, gone | {family})):
            gone.add(family)
    return without(program, gone)


def _simpler(program: Program) -> list[Program]:
    direct = tuple((step, call if call.startswith("await") else f"{step}(i)") for step, call in program.calls)
    flat = tuple(replace(f, module="scenario") for f in program.fragments)
    is_async = any(f.is_async for f in program.fragments)
    return [
        replace(program, calls=direct, fragments=flat, is_package=False, is_stream=False, is_async=is_async)
    ]


def _short(score: Score) -> str:
    return ",".join(check for check, value in score.checks.items() if value is False) or "all right"
