"""Programs with a known answer, through the whole line: capture, snapshot, analysis.

`tests/known/expected.toml` says what each must get. One capture of 20 runs for each program; LEAKSCAN_FULL=1
for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from asked import FULL
from known_answers import ASPECTS, EXPECTED, aspects_of, missing_for, target_of
from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.results.findings import Findings
from leakscan.answers.analyse import analysed_one
from leakscan.capture import capture
from leakscan.heap.reader import load

FindingsOf = Callable[[str], Findings]
ASKED = [name for name in EXPECTED if FULL or not EXPECTED[name].get("full")]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the capture of each program under its name."""
    return tmp_path_factory.mktemp("known")


@pytest.fixture(scope="module")
def findings_of(directory: Path) -> FindingsOf:
    """Findings of a program, captured on first use."""
    known: dict[str, Findings] = {}

    def find(name: str) -> Findings:
        if name not in known:
            if reason := missing_for(name):
                pytest.skip(reason)
            capture(target_of(name), output=directory / name)
            known[name] = analysed_one([directory / name])
        return known[name]

    return find


@pytest.mark.parametrize(
    ("name", "aspect"), [(name, aspect) for name in ASKED for aspect in aspects_of(name)]
)
def test_the_answer_is_the_expected_one(name: str, aspect: str, findings_of: FindingsOf):
    assert ASPECTS[aspect](findings_of(name), EXPECTED[name]) == ""


@pytest.mark.parametrize("name", [name for name in ASKED if "freed" in aspects_of(name)])
def test_what_the_report_proposes_can_be_asked_back(name: str, findings_of: FindingsOf, directory: Path):
    leak = findings_of(name).leaks[0]
    assert leak.cut is not None
    before, after = (load(directory / name / file) for file in ("before.heap", "after.heap"))
    answer = what_if(
        after,
        liveness(after),
        cut=[member.pattern for member in leak.cut.members],
        is_new=find_survivors(before, after).is_new,
    )
    # One object that grows is older than the runs, and no survivor.
    freed = answer.frees if leak.growth_bytes else answer.frees_survivors
    assert (freed >= leak.count, answer.frees_bytes >= leak.cut.frees_bytes) == (True, True)


@pytest.mark.parametrize("name", ASKED)
def test_memory_outside_of_the_heap_gives_no_alarm(name: str, findings_of: Callable[[str], Findings]):
    memory = findings_of(name).memory
    assert memory is not None and set(memory.causes) <= {"objects"}
    assert abs(memory.residue_bytes) <= 2_000_000
