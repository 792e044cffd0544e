"""What may be asked of a target that has done its runs and still waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from leakscan.capture.directory.reader import Capture
from leakscan.capture.directory.run_file import Written

TRACED_FILE: Final = "traced.heapsnapshot"
"""Is there only until the capture ends."""


@dataclass(frozen=True, slots=True)
class MoreRuns:
    """Go on until `runs` runs are done in all, and take the last snapshot again."""

    runs: int


@dataclass(frozen=True, slots=True)
class Prove:
    """Clear these references in a forked child, and count the survivors that this frees.

    A reference is (address of the holder, kind, label, address of what it holds), as in `after.heap`.
    A survivor is (address, run of its birth, whether its type has the collector's header); `others` are
    objects that should go with them. `cut` and `types` are kept with the result: the patterns, and the
    types of the survivors.
    """

    cut: tuple[str, ...]
    types: tuple[str, ...]
    references: tuple[tuple[int, int, str, int], ...]
    survivors: tuple[tuple[int, int, bool], ...]
    others: tuple[tuple[int, int, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Blame:
    """Run the scenario `runs` times more, and see which lines write into what holds the leaks.

    `slots` are (signature of the leak, pattern); a holder is (position of its slot, address in `after.heap`,
    the name of the one reference that is meant, or None for all entries).
    """

    slots: tuple[tuple[str, str], ...]
    holders: tuple[tuple[int, int, str | None], ...]
    runs: int


@dataclass(frozen=True, slots=True)
class MadeIn:
    """What the snapshot of a traced Node, `TRACED_FILE`, says about the slots of its `Blame`."""

    written: tuple[Written, ...]
    failed: str


Decide = Callable[[Capture], MoreRuns | Prove | Blame | MadeIn | None]
"""Called with the capture as it is each time the target has done what was asked; None ends it."""
