"""The further runs of a scenario in which the holders of its leaks are watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from leakscan.record.cutting import objects_at
from leakscan.record.writers.dicts import can_watch_dicts, watched
from leakscan.record.writers.following import CannotFollow, following
from leakscan.record.writers.observer import Observer
from leakscan.record.writers.probes import InDict, Probe, dict_probe, looked_at
from leakscan.record.writers.stores import Stores, key_of

_PROBES: Final = 128
"""Holders that are read at each step of the functions that are followed; dicts tell of themselves."""
_PROBES_OF_A_SLOT: Final = 24
_SEARCHED_RUNS: Final = 8
Holder = tuple[int, int, str | None]
"""Number of the slot, address, and the name of the one reference that is meant (None: all entries)."""


def blame(holders: Sequence[Holder], run: Callable[[], None], *, runs: int) -> dict[str, Any]:
    """`run` the scenario `runs` times, and say which lines fill these holders.

    `{"written": [[slot, file, line, function, count, runs, file, line and function of the nearest line of the
    program, coroutine of the task], ...]}`, and `failed`, why nothing, or not all, could be seen.
    """
    dicts, probes = _looked_at(holders)
    if not dicts and not probes:
        return {"written": [], "failed": "what holds them was not found in the process"}
    stores = Stores()
    failed = ""
    for watch in dicts:
        stores.watch(watch.slot, id(watch.holder), None if watch.name is None else key_of(watch.name))
    observer = Observer(probes, stores)
    with ExitStack() as stack:
        stack.enter_context(watched(list({id(each.holder): each.holder for each in dicts}.values()), stores))
        try:
            _watch_runs(run, runs, observer if probes else None, stores, stack)
        except CannotFollow as reason:
            failed = str(reason)
            for stores.run in range(1, runs + 1):
                run()
    return {"written": stores.rows(), "failed": failed}


def _watch_runs(
    run: Callable[[], None], runs: int, observer: Observer | None, stores: Stores, stack: ExitStack
) -> None:
    if observer is None:
        for stores.run in range(1, runs + 1):
            run()
        return
    wanted = observer.slots
    follower = stack.enter_context(following(observer))
    searched = 0
    # Before the first counted run there is one in which the functions are searched for.
    for number in range(runs + 1):
        is_searching = searched < _SEARCHED_RUNS and (
            number == 0 or observer.unexplained > 0 or bool(wanted - observer.seen_slots)
        )
        searched += is_searching
        observer.unexplained = 0
        follower.begin_run()
        stores.run = number
        follower.search(is_searching)
        run()
        follower.search(False)
        observer.run_ends()
        if number:
            observer.look_closer()
        follower.follow()


def _looked_at(holders: Sequence[Holder]) -> tuple[list[InDict], list[Probe]]:
    wanted: dict[int, list[tuple[int, str | None]]] = {}
    for slot, address, label in holders:
        wanted.setdefault(address, []).append((slot, label))
    found = {id(each): each for each in objects_at(wanted)}
    dicts: list[InDict] = []
    probes: list[Probe] = []
    of_slot: dict[int, int] = {}
    for _, address, _ in holders:
        if address not in found:
            continue
        for slot, label in wanted.pop(address, ()):
            for each in looked_at(slot, found[address], label):
                if isinstance(each, InDict) and can_watch_dicts():
                    dicts.append(each)
                    continue
                of_slot[slot] = of_slot.get(slot, 0) + 1
                if of_slot[slot] <= _PROBES_OF_A_SLOT and len(probes) < _PROBES:
                    probes.append(dict_probe(each) if isinstance(each, InDict) else each)
    return dicts, probes
