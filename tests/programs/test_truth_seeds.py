"""A few random programs with a known truth, judged; `make truth` judges hundreds."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from leakgen.judge import INNOCENT, Score, run_one
from leakgen.program import build

FIXED = [("capture", 1023), ("capture", 1010), ("assert", 1023)]
"""(form, seed) of programs that were judged right in everything."""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`leakscan` beside a `python`, both of this interpreter."""
    folder = tmp_path_factory.mktemp("bin")
    for name, arguments in (("python", ""), ("leakscan", "-m leakscan ")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / name).chmod(0o755)
    return str(folder / "leakscan")


def score(form: str, seed: int, command: str) -> Score:
    return run_one(build(seed, form), command, "", None)


@pytest.mark.parametrize(("form", "seed"), FIXED)
def test_everything_that_is_said_of_a_program_is_right(form: str, seed: int, command: str):
    found = score(form, seed, command)
    assert ([name for name, right in found.checks.items() if right is False], found.notes) == ([], [])


def test_a_fresh_random_program_gets_no_opposite_verdict(command: str):
    seed = random.SystemRandom().randrange(10_000, 10_000_000)
    found = score("capture", seed, command)
    opposite = found.said in INNOCENT if found.truth["verdict"] == "leak" else found.said == "leak"
    assert not opposite, f"seed {seed}: {found.said}, {found.notes}"
