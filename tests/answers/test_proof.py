"""What a proof is said to have come to."""

from __future__ import annotations

import pytest

from leakscan.answers.proof import proof_text
from leakscan.capture.directory.run_file import Proof


@pytest.mark.parametrize(
    ("count", "said"),
    [(5, "T0, T1, T2, T3, T4 freed"), (60, "T0, T1, T2, T3 and objects of 56 more types freed")],
)
def test_a_proof_names_a_few_types_and_counts_the_others(count: int, said: str):
    types = tuple(f"app.T{number}" for number in range(count))
    proof = Proof(("Reg.kept[*]",), types, 9, 9, 0, 0, (), "")
    assert proof_text(proof) == f"proved in a forked child: 9 of 9 {said}"
