"""The arrays that graph algorithms take and give: their types, special numbers, and how they are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Mask = Bools | U8
Integers = npt.NDArray[Any]  # any integer dtype: checked and converted by _column
NO: Final = 0xFFFFFFFF
"""No object, no reference, no slot, not reached."""
BLOCKED: Final = 0xFFFF
"""Reference cost: never on a path."""
BLOCKED_ROOT: Final = 0xFFFFFFFF
"""Root cost: the root is not used."""
FARTHEST: Final = 0xFFFFFFFE
"""Distances saturate here: such paths are valid, but compared by hops, each extending its source's best."""
UNCUTTABLE: Final = 0xFFFFFFFF
"""Slot cost: the slot may not be cut."""
OUTSIDE: Final = 0xFFFFFFFE
"""owners(): reached without passing any member of a group."""
SHARED: Final = 0xFFFFFFFD
"""owners(): reached from several groups, and only through members of groups."""
GARBAGE: Final = 0
REACHED: Final = 1
HELD_FROM_C: Final = 2


@dataclass(frozen=True, slots=True)
class Csr:
    """References of n objects: those of object i are first_ref[i] .. first_ref[i + 1] - 1.

    `first_ref` is u64[n + 1], `targets` u32[m] (object numbers).
    """

    first_ref: U64
    targets: U32

    @property
    def object_count(self) -> int:
        return len(self.first_ref) - 1

    @property
    def reference_count(self) -> int:
        return len(self.targets)

    def sources_of(self, refs: Integers) -> U32:
        """Object each of these references starts at. O(log n) each."""
        return (np.searchsorted(self.first_ref, refs, side="right") - 1).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class Reversed:
    """Incoming references of object i are entries first[i] .. first[i + 1] - 1, by reference number.

    `sources[e]` is the object it comes from, `refs[e]` its number in the forward graph (for its label).
    """

    first: U64
    sources: U32
    refs: U32

    @property
    def csr(self) -> Csr:
        """The reversed graph, for any kernel; its reference e is the forward reference refs[e]."""
        return Csr(self.first, self.sources)


def checked(csr: Csr) -> Csr:
    first_ref = column(csr.first_ref, np.uint64, "first_ref")
    targets = column(csr.targets, np.uint32, "targets")
    if first_ref is csr.first_ref and targets is csr.targets:
        return csr
    return Csr(first_ref, targets)


def column(values: Integers, dtype: Any, name: str, length: int | None = None) -> Any:  # Any: dtype's array
    """`values` as a contiguous array of `dtype`; ValueError when one does not fit or the length differs."""
    values = np.asarray(values)
    if values.ndim != 1 or (length is not None and len(values) != length):
        raise ValueError(f"{name}: expected {'one dimension' if length is None else f'{length} items'}")
    if values.dtype == dtype:
        return np.ascontiguousarray(values)
    if len(values) and values.dtype.kind not in "iub":
        raise ValueError(f"{name}: expected integers, not {values.dtype}")
    if len(values) and (values.min() < 0 or values.max() > np.iinfo(dtype).max):
        raise ValueError(f"{name}: a value does not fit {np.dtype(dtype).name}")
    return values.astype(dtype)


def optional(values: Integers | None, dtype: Any, name: str, length: int) -> Any:  # Any: dtype's array
    return None if values is None else column(values, dtype, name, length)


def sizes_column(sizes: Integers, length: int) -> Any:  # Any: u32 or u64, as it came
    dtype = np.uint32 if np.asarray(sizes).dtype == np.uint32 else np.uint64
    return column(sizes, dtype, "sizes", length)


def mask_column(mask: Mask | None, name: str, length: int) -> Any:  # Any: bool or uint8, as it came
    if mask is None:
        return None
    if mask.dtype not in (np.bool_, np.uint8):
        raise ValueError(f"{name}: expected a mask of bool or uint8, not {mask.dtype}")
    if mask.shape != (length,):
        raise ValueError(f"{name}: expected {length} items")
    return np.ascontiguousarray(mask)
