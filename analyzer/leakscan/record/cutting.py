"""Remove references for real and count what that frees: only ever in a forked child.

Finalizers of what is freed run, and clearing may call a key's own `__hash__`: that is the experiment.
The observed process itself is never touched.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import time
from array import array
from collections.abc import Container, Iterable
from types import ModuleType
from typing import Any, Final

from leakscan import _native
from leakscan.record import births
from leakscan.record.clearing import LOCAL, ROOT, clear, clear_root, clear_running
from leakscan.record.settle import has_other_threads

HEADER_BYTES: Final = 16
"""The collector's, before every object of a type that it looks into."""

REFERRERS_AT_ONCE: Final = 10_000

LONGEST_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 5.0
"""So long the child may sleep without using the processor at all: in it there are no other threads."""
LOOK_SECONDS: Final = 0.25

ATTEMPTS: Final = 3
"""What another thread is at work on when the process is forked, its frame in the child holds for ever."""
BETWEEN_SECONDS: Final = 0.05

Reference = tuple[int, int, str, int]
"""Address of the holder, kind, label, address of what it holds; of a root 0, ROOT, its label."""


Survivor = tuple[int, int, bool]
"""Address, run of its birth (0: before the runs, or unknown), whether its type has the collector's header."""


def prove(
    references: Iterable[Reference],
    survivors: Iterable[Survivor],
    others: Iterable[Survivor] = (),
    *,
    types: Container[str] = (),
    idle_seconds: float = IDLE_SECONDS,
    longest_seconds: float = LONGEST_SECONDS,
) -> dict[str, Any]:
    """In a forked child: clear the references, collect, and count what is gone.

    `{"of": survivors found alive, "freed": how many went, "others_of": ..., "others_freed": the same of
    what hangs on them, "not_cleared": [why, ...]}`, or `{"failed": why}`. An object that was born in the
    runs is counted by the block it lies in, any other one only when the collector tracks it, and is no list,
    tuple or dict unless `types` has that name: the experiment's own may have taken its place. A child that
    does not come to an end is killed; so it is when waiting for it is interrupted. Where other threads run
    and something was not freed, another child is asked, a moment later.
    """
    references, survivors, others = tuple(references), tuple(survivors), tuple(others)
    best: dict[str, Any] = {}
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BETWEEN_SECONDS)
        answer = _in_a_child(references, survivors, others, types, idle_seconds, longest_seconds)
        if not best or ("freed" in answer and _left(answer) < _left(best)):
            best = answer
        if "failed" in answer or not _left(best) or not has_other_threads():
            break
    return best


def _left(answer: dict[str, Any]) -> int:
    """How many objects were not freed."""
    left: int = answer["of"] - answer["freed"] + answer["others_of"] - answer["others_freed"]
    return left


def _in_a_child(
    references: tuple[Reference, ...],
    survivors: tuple[Survivor, ...],
    others: tuple[Survivor, ...],
    types: Container[str],
    idle_seconds: float,
    longest_seconds: float,
) -> dict[str, Any]:
    looked_at = _Alive(survivors, types), _Alive(others, types)
    read_end, write_end = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        os.close(read_end)
        os.close(write_end)
        return {"failed": f"no child process could be started: {error.strerror}"}
    if child == 0:
        try:
            os.close(read_end)
            _obey_signals(longest_seconds)
            report = json.dumps(_experiment(references, *looked_at)).encode()
            while report:
                report = report[os.write(write_end, report) :]
        except BaseException as error:
            os.write(write_end, json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    try:
        answer, why = _answer_of(child, read_end, idle_seconds, longest_seconds)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(read_end)
        _, status = os.waitpid(child, 0)
    if why:
        return {"failed": why}
    if not answer:
        return {"failed": f"the experiment's process ended with status {os.waitstatus_to_exitcode(status)}"}
    return dict(json.loads(answer))


def _obey_signals(longest_seconds: float) -> None:
    """In the child: what ends a process ends it, also while a destructor waits; and time, if nobody does."""
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGALRM}
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    signal.alarm(int(longest_seconds) + 2)


def _answer_of(child: int, pipe: int, idle_seconds: float, longest_seconds: float) -> tuple[bytes, str]:
    """(what the child wrote, why it was killed before it had written all)."""
    answer = b""
    start = moved = time.monotonic()
    used = -1
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while True:
        if poll.poll(LOOK_SECONDS * 1000):
            block = os.read(pipe, 1 << 16)
            if not block:
                return answer, ""
            answer += block
            continue
        now = time.monotonic()
        is_asleep, ticks = _activity(child)
        if ticks != used or not is_asleep:
            used, moved = ticks, now
        why = ""
        if now - moved >= idle_seconds:
            why = "freeing it waits for a thread" if has_other_threads() else "freeing it waits for something"
            why += ", which the forked child does not have"
        elif now - start >= longest_seconds:
            why = f"freeing it was not over after {longest_seconds:.0f} s"
        if why:
            os.kill(child, signal.SIGKILL)
            return b"", why


def _activity(process: int) -> tuple[bool, int]:
    """(whether it sleeps, the processor time it has used), where the system tells; else that it sleeps."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return True, 0
    return fields[0] == "S", int(fields[11]) + int(fields[12])


class _Alive:
    """Which of some objects still are. Follows no address: another thread may have freed one meanwhile."""

    def __init__(self, objects: Iterable[Survivor], types: Container[str]) -> None:
        self._foreign = tuple(kind for kind in (list, tuple, dict) if kind.__name__ not in types)
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
        # What is of another type later took the place of one that went: a child makes objects as it begins.
        self._type_of = self._tracked_now()

    def count(self) -> int:
        runs = self._runs(self._blocks)
        by_block = sum(run == birth for run, birth in zip(runs, self._births, strict=True))
        now = self._tracked_now()
        return by_block + sum(self._type_of.get(address) == kind for address, kind in now.items())

    def _tracked_now(self) -> dict[int, int]:
        """Address of each object that the collector tracks, and of its type: nothing is kept alive."""
        if not self._tracked:
            return {}
        return {
            id(obj): id(type(obj))
            for obj in gc.get_objects()
            if id(obj) in self._tracked and type(obj) not in self._foreign
        }

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
    roots = set()
    for holder_address, kind, label, target in references:
        if kind == ROOT:
            roots.add(label)
        else:
            by_holder.setdefault(holder_address, set()).add((kind, label, target))
    not_cleared = set()
    for holder in objects_at(by_holder):
        for kind, label, target in sorted(by_holder.pop(id(holder))):
            try:
                clear(holder, kind, label, target)
            except Exception as error:
                not_cleared.add(f"{type(holder).__name__}: {type(error).__name__}: {error}")
    for rest in by_holder.values():
        # Frames that run are no objects, and those of other threads are not in this process.
        for _, label, _ in [found for found in rest if found[0] == LOCAL and not clear_running(*found[1:])]:
            not_cleared.add(f"local {label!r} of a running frame: its thread is not in the forked child")
    lost = sum(any(found[0] != LOCAL for found in rest) for rest in by_holder.values())
    if lost:
        not_cleared.add(f"{lost} holders were not found in the process")
    for label in sorted(roots):
        if not clear_root(label):
            not_cleared.add(f"{label} is held by the interpreter itself")
    return sorted(not_cleared)


def objects_at(addresses: Container[int]) -> list[Any]:  # Any: objects of the target
    """The objects at these addresses: those that the collector tracks, and what they refer to.

    A dict or tuple of strings and numbers is tracked by nobody, yet something that is leads to it. C modules
    are not asked: `_asyncio` of CPython 3.12 shows the collector what it has freed and will use again, and
    whoever takes a reference to that and drops it frees it twice.
    """
    tracked = gc.get_objects()
    found = {id(obj): obj for obj in tracked if id(obj) in addresses}
    tracked = [obj for obj in tracked if not isinstance(obj, ModuleType)]
    for start in range(0, len(tracked), REFERRERS_AT_ONCE):
        for obj in gc.get_referents(*tracked[start : start + REFERRERS_AT_ONCE]):
            if id(obj) in addresses:
                found.setdefault(id(obj), obj)
    return list(found.values())
