"""What applying a cut for real came to, in one sentence."""

from __future__ import annotations

from typing import Final

from leakscan.capture.directory.run_file import Proof
from leakscan.wording import count_text

_NAMED: Final = 4
"""Types that are named; more are counted."""


def proof_text(proof: Proof, *, by: str = "") -> str:
    """`proved in a forked child: 20 of 20 ModelOutput freed, with 1 740 of 1 740 objects that hang on them`.

    Or why not. `by` names the cut, for where it is not said already.
    """
    cutting = f" by cutting {by}" if by else ""
    if proof.failed:
        return f"not proved{cutting}: {proof.failed}"
    if not proof.of and any(pattern.startswith("thread local ") for pattern in proof.cut):
        return f"not proved{cutting}: what other threads keep for themselves is not in the forked child"
    if not proof.of:
        return f"not proved{cutting}: nothing of what it should free could be counted in the process"
    names = [name.rpartition(".")[2] for name in proof.types]
    left_out = len(names) - _NAMED if len(names) > _NAMED + 1 else 0
    types = ", ".join(names[:_NAMED] if left_out else names)
    types += f" and objects of {count_text(left_out)} more types" if left_out else ""
    word = "proved" if proof.freed == proof.of else "not proved"
    share = f"{count_text(proof.freed)} of {count_text(proof.of)}"
    text = f"{word} in a forked child: {share} {types} freed{cutting}"
    if proof.others_of:
        others = f"{count_text(proof.others_freed)} of {count_text(proof.others_of)}"
        text += f", with {others} objects that hang on them"
    return f"{text}; not cleared: {'; '.join(proof.not_cleared)}" if proof.not_cleared else text
