"""Names and keys without the secrets in them, before anything else sees them.

The recorder masks what it writes; here are the snapshots of V8, and those of older recorders. What counts as
a secret is told in docs/decisions/secrets.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leakscan import _native
from leakscan.heap.graph import StringTable


def masked_table(strings: StringTable, used: npt.NDArray[np.bool_] | None = None) -> StringTable:
    """The same strings, `***` in place of each secret; with `used`, only in those marked there. O(bytes)."""
    found = _native.masked_strings(
        np.frombuffer(strings.blob, np.uint8), strings.ends, None if used is None else used.view(np.uint8)
    )
    return strings if found is None else StringTable(found[0], np.frombuffer(found[1], np.uint64))


def masked(text: str) -> str:
    """`text` as a label of a snapshot has it."""
    return _native.masked_text(text.encode("utf-8", "replace")).decode("utf-8", "replace")
