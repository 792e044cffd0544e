"""Small inputs that leakscan once got wrong, and the right answer to each: `cases/expected.toml`."""

from __future__ import annotations

import pytest

import leakscan
from asked import FULL
from case_runs import Answers, asked, marked, names
from case_truths import CASES, leaks_of

EVERY = ("check", "whatif", "proof", "conserved")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return Answers(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize(("case", "aspect"), asked(names("answers"), *EVERY))
def test_the_answer_is_right(case: str, aspect: str, answers: Answers):
    assert answers(case).problem(aspect) == ""


def test_what_is_said_to_be_wrong_names_a_case_and_an_aspect():
    known = {*EVERY, "verdict", "told", "cut", "rate", "line", "number", "screen"}
    said = {aspect for truth in CASES.values() for aspect in truth.get("wrong", {}).get("aspects", ())}
    assert said <= known


SIXTY = "answers/sixty_leaks.py:run"


@pytest.mark.skipif(not FULL, reason="asked by make truth")
@pytest.mark.parametrize("aspect", marked(SIXTY, ["number", "screen"]))
def test_sixty_leaks_make_a_screen_that_one_can_read(aspect: str, answers: Answers):
    findings = answers(SIXTY).findings
    if aspect == "number":
        assert len(list(leaks_of(findings))) == 60
        return
    lines = repr(leakscan.diff(answers(SIXTY).directory)).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("leak "))
    # A table of twenty, a line each, and what to cut in a few words.
    assert first <= 30 and len(lines) <= 200
