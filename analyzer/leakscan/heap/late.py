"""References that were found after the walk, put where they belong among the others.

An extension object without traversal is only looked into when everything else is known: by then the rows of
the file are written. In nearly every snapshot there are none, and nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leakscan.heap.graph import U32, U64


@dataclass(frozen=True, slots=True)
class LateReferences:
    """`sources` ascending, `targets` with them; each goes behind the other references of its source."""

    sources: U32
    targets: U32

    @classmethod
    def of(cls, sources: U32, targets: U32) -> LateReferences:
        order = np.argsort(sources, kind="stable")
        return cls(sources[order], targets[order])

    def __len__(self) -> int:
        return len(self.sources)

    def shifted(self, first_ref: U64) -> U64:
        """`first_ref` with room for these."""
        added = np.bincount(self.sources, minlength=len(first_ref) - 1).astype(np.uint64)
        shifted = first_ref.copy()
        shifted[1:] += np.cumsum(added)
        return shifted

    def inserted(
        self, column: npt.NDArray[Any], first_ref: U64, values: npt.NDArray[Any] | int
    ) -> npt.NDArray[Any]:  # Any: the columns differ in width
        """A column of references with the values of these; `first_ref` as it was without them."""
        ends = first_ref[self.sources.astype(np.int64) + 1].astype(np.int64)
        return np.insert(column, ends, values)
