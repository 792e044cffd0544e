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
from collections.abc import Iterable
from typing import Any

# Kinds of reference (docs/format.md): `heap.kinds` is not loaded in the observed process.
ATTRIBUTE, SLOT, KEY_STR, KEY_INT, KEY_OTHER, KEY, INDEX, MEMBER, DICT = 1, 2, 3, 4, 5, 6, 7, 8, 9

Reference = tuple[int, int, str, int]
"""Address of the holder, kind, label, address of what it holds."""


def prove(references: Iterable[Reference], survivors: Iterable[int]) -> dict[str, Any]:
    """In a forked child: clear the references, collect, and count the survivors that are gone.

    `{"of": survivors found alive, "freed": how many went, "not_cleared": [why, ...]}`, or `{"failed": why}`.
    Only survivors that the collector tracks can be counted.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read_end)
            report = json.dumps(_experiment(references, frozenset(survivors))).encode()
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


def _experiment(references: Iterable[Reference], survivors: frozenset[int]) -> dict[str, Any]:
    alive = _count(survivors)
    not_cleared = _clear_all(references)
    # A finalizer may let go of what another collection then finds.
    for _ in range(8):
        if gc.collect() == 0:
            break
    return {"of": alive, "freed": alive - _count(survivors), "not_cleared": not_cleared}


def _count(survivors: frozenset[int]) -> int:
    return sum(1 for address in map(id, gc.get_objects()) if address in survivors)


def _clear_all(references: Iterable[Reference]) -> list[str]:
    by_holder: dict[int, set[tuple[int, str, int]]] = {}
    for holder_address, kind, label, target in references:
        by_holder.setdefault(holder_address, set()).add((kind, label, target))
    not_cleared = set()
    found = [obj for obj in gc.get_objects() if id(obj) in by_holder]
    for holder in found:
        for kind, label, target in sorted(by_holder.pop(id(holder))):
            try:
                _clear(holder, kind, label, target)
            except Exception as error:
                not_cleared.add(f"{type(holder).__name__}: {type(error).__name__}: {error}")
    if by_holder:
        not_cleared.add(f"{len(by_holder)} holders are not tracked by the collector")
    return sorted(not_cleared)


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
