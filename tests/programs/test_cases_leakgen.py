"""Programs that were reduced from random ones on which leakscan was wrong: tools/leakgen/cases."""

from __future__ import annotations

import pytest

from case_runs import Answers, asked, names


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return Answers(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize(("case", "aspect"), asked(names("leakgen"), "check", "whatif", "proof", "conserved"))
def test_the_answer_is_right(case: str, aspect: str, answers: Answers):
    assert answers(case).problem(aspect) == ""
