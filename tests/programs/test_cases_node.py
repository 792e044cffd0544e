"""Small JavaScript inputs that leakscan once got wrong, and the right answer to each."""

from __future__ import annotations

import pytest

from case_runs import Answers, asked, names
from node_runs import needs_node

pytestmark = needs_node


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return Answers(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize(("case", "aspect"), asked(names("node", runtime="mjs"), "check", "whatif"))
def test_the_answer_is_right(case: str, aspect: str, answers: Answers):
    assert answers(case).problem(aspect) == ""
