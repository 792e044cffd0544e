"""A property with a getter or setter is one property.

V8 writes it three times: its name leads to a pair, `get name` and `set name` to the functions of the pair.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from leakscan.heap.kinds import Kind
from leakscan.heap.v8 import RawSnapshot
from leakscan.heap.v8_names import ACCESSORS
from leakscan.heap.v8_strings import Strings
from leakscan.heap.v8_types import References, sources_of_refs

_PREFIXES: Final = ("get ", "set ")


def fold_accessors(raw: RawSnapshot, strings: Strings, references: References) -> None:
    """What a pair holds is held by the pair alone. O(m)."""
    is_pair = np.isin(raw.node_names, strings.all(ACCESSORS))
    if not is_pair.any():
        return
    is_name = references.kinds == Kind.ATTRIBUTE
    named = np.flatnonzero(is_name & is_pair[references.targets])
    # The layout of the object lists the pair as well, and goes when the property does.
    has_name = np.zeros(len(raw.node_types), np.bool_)
    has_name[references.targets[named]] = True
    references.kinds[(references.kinds == Kind.INTERNAL) & has_name[references.targets]] = Kind.WEAK
    pairs = np.flatnonzero(is_pair)
    inside = np.concatenate(
        [np.arange(int(references.first[pair]), int(references.first[pair + 1])) for pair in pairs.tolist()]
    ).astype(np.intp)
    is_function = np.zeros(len(raw.node_types), np.bool_)
    is_function[references.targets[inside[references.kinds[inside] == Kind.DICT]]] = True
    has_pair = np.zeros(len(raw.node_types), np.bool_)
    has_pair[sources_of_refs(references, named)] = True
    again = np.flatnonzero(is_name & is_function[references.targets])
    again = again[has_pair[sources_of_refs(references, again)]]
    labels = np.unique(references.labels[again])
    prefixed = [label for label in labels.tolist() if strings.spelled(label).startswith(_PREFIXES)]
    references.kinds[again[np.isin(references.labels[again], prefixed)]] = Kind.WEAK
