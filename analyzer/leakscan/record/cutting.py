"""Remove references for real and count what that frees: only ever in a forked child.

Finalizers of what is freed run, and clearing may call a key's own `__hash__`: that is the experiment.
The observed process itself is never touched.
"""

from __future__ import annotations

import collections
import gc
import json
import os
import types
from array import array
from collections.abc import Container, Iterable
from typing import Any, Final

from leakscan import _native
from leakscan.record import births

# Kinds of reference (docs/format.md): `heap.kinds` is not loaded in the observed process.
ATTRIBUTE, SLOT, KEY_STR, KEY_INT, KEY_OTHER, KEY, INDEX, MEMBER, DICT = 1, 2, 3, 4, 5, 6, 7, 8, 9

HEADER_BYTES: Final = 16
"""The collector's, before every object of a type that it looks into."""

REFERRERS_AT_ONCE: Final = 10_000

Reference = tuple[int, int, str, int]
"""Address of the holder, kind, label, address of what it holds."""


Survivor = tuple[int, int, bool]
"""Address, run of its birth (0: before the runs, or unknown), whether its type has the collector's header."""


def prove(
    references: Iterable[Reference], survivors: Iterable[Survivor], others: Iterable[Survivor] = ()
) -> dict[str, Any]:
    """In a forked child: clear the references, collect, and count what is gone.

    `{"of": survivors found alive, "freed": how many went, "others_of": ..., "others_freed": the same of
    what hangs on them, "not_cleared": [why, ...]}`, or `{"failed": why}`. An object that was born in the
    runs is counted by the block it lies in, any other one only when the collector tracks it.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read_end)
            report = json.dumps(_experiment(references, _Alive(survivors), _Alive(others))).encode()
            while report:
                report = report[os.write(write_end, report) :]
        except BaseException as error:
            os.write(write_end, json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    try:
        with os.fdopen(read_end, "rb") as pipe:
            answer = pipe.read()
    finally:
        _, status = os.waitpid(child, 0)
    if not answer:
        return {"failed": f"the experiment's process ended with status {os.waitstatus_to_exitcode(status)}"}
    return dict(json.loads(answer))


class _Alive:
    """Which of some objects still are. Follows no address: another thread may have freed one meanwhile."""

    def __init__(self, objects: Iterable[Survivor]) -> None:
        self._tracked: set[int] = set()
        self._births = array("H")
        self._blocks, below = array("Q"), array("Q")
        for address, birth, has_header in objects:
            if birth:
                self._births.append(birth)
                self._blocks.append(address - HEADER_BYTES * has_header)
                below.append(address - 2 * HEADER_BYTES * has_header)
            else:
                self._tracked.add(address)
        # Before the header may lie the pointers to an instance's dict and weak references.
        found = self._runs(self._blocks)
        for at, run in enumerate(found):
            if not run:
                self._blocks[at] = below[at]

    def count(self) -> int:
        runs = self._runs(self._blocks)
        by_block = sum(run == birth for run, birth in zip(runs, self._births, strict=True))
        if not self._tracked:
            return by_block
        return by_block + sum(1 for address in map(id, gc.get_objects()) if address in self._tracked)

    def _runs(self, blocks: array[int]) -> array[int]:
        runs = array("H")
        runs.frombytes(_native.births_at(blocks))
        return runs


def _experiment(references: Iterable[Reference], survivors: _Alive, others: _Alive) -> dict[str, Any]:
    if _native.births_stats()["armed"]:
        # What the experiment allocates must not look like what it frees.
        births.mark_own()
    alive, others_alive = survivors.count(), others.count()
    not_cleared = _clear_all(references)
    # A finalizer may let go of what another collection then finds.
    for _ in range(8):
        if gc.collect() == 0:
            break
    return {
        "of": alive,
        "freed": alive - survivors.count(),
        "others_of": others_alive,
        "others_freed": others_alive - others.count(),
        "not_cleared": not_cleared,
    }


def _clear_all(references: Iterable[Reference]) -> list[str]:
    by_holder: dict[int, set[tuple[int, str, int]]] = {}
    for holder_address, kind, label, target in references:
        by_holder.setdefault(holder_address, set()).add((kind, label, target))
    not_cleared = set()
    for holder in _holders(by_holder):
        for kind, label, target in sorted(by_holder.pop(id(holder))):
            try:
                _clear(holder, kind, label, target)
            except Exception as error:
                not_cleared.add(f"{type(holder).__name__}: {type(error).__name__}: {error}")
    if by_holder:
        not_cleared.add(f"{len(by_holder)} holders were not found in the process")
    return sorted(not_cleared)


def _holders(addresses: Container[int]) -> list[Any]:  # Any: objects of the target
    """The objects at these addresses: those that the collector tracks, and what they refer to.

    A dict or tuple of strings and numbers is tracked by nobody, yet something that is leads to it.
    """
    tracked = gc.get_objects()
    found = {id(obj): obj for obj in tracked if id(obj) in addresses}
    for start in range(0, len(tracked), REFERRERS_AT_ONCE):
        for obj in gc.get_referents(*tracked[start : start + REFERRERS_AT_ONCE]):
            if id(obj) in addresses:
                found.setdefault(id(obj), obj)
    return list(found.values())


def _clear(holder: Any, kind: int, label: str, target: int) -> None:  # Any: an object of the target
    holder_type = type(holder)
    if kind in (KEY_STR, KEY_INT, KEY_OTHER, KEY) and issubclass(holder_type, dict):
        at = 0 if kind == KEY else 1
        for entry in [entry for entry in dict.items(holder) if id(entry[at]) == target]:
            dict.__delitem__(holder, entry[0])
    elif kind == INDEX and issubclass(holder_type, (list, collections.deque)):
        base = list if issubclass(holder_type, list) else collections.deque
        for index in [index for index, item in enumerate(base.__iter__(holder)) if id(item) == target]:
            base.__setitem__(holder, index, None)
    elif kind == MEMBER and issubclass(holder_type, set):
        for member in [member for member in set.__iter__(holder) if id(member) == target]:
            set.discard(holder, member)
    elif kind == SLOT and holder_type is types.CellType:
        holder.cell_contents = None
    elif kind == DICT:
        holder.__dict__.clear()
    elif kind in (ATTRIBUTE, SLOT, KEY_STR):
        (type if issubclass(holder_type, type) else object).__setattr__(holder, label, None)
    else:
        raise TypeError(f"nothing outside can clear this reference (kind {kind} {label!r})")
