"""What applying a cut for real came to, in one sentence: the same after a capture and in every report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leakscan.capture.directory import Proof


def proof_text(proof: Proof) -> str:
    """`proved: 20 of 20 ModelOutput freed by cutting Workflow._runs[*], with ...`, or why not."""
    from leakscan.analysis.wording import count_text

    cut = " and ".join(proof.cut)
    if proof.failed:
        return f"not proved: cutting {cut} could not be tried: {proof.failed}"
    if not proof.of:
        return f"not proved: of what cutting {cut} should free, nothing could be counted in the process"
    types = ", ".join(name.rpartition(".")[2] for name in proof.types)
    word = "proved" if proof.freed == proof.of else "not proved"
    text = f"{word}: {count_text(proof.freed)} of {count_text(proof.of)} {types} freed by cutting {cut}"
    if proof.others_of:
        others = f"{count_text(proof.others_freed)} of {count_text(proof.others_of)}"
        text += f", with {others} objects that hang on them"
    return f"{text}; not cleared: {'; '.join(proof.not_cleared)}" if proof.not_cleared else text
