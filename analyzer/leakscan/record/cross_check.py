"""One heap counted three times in one process: by a snapshot, by objgraph and by guppy3, where they are."""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import json
import os
import types
from collections.abc import Callable
from typing import Any

from leakscan.record import snapshot
from leakscan.record.events import EventSink
from leakscan.record.scenario import Scenario
from leakscan.record.settle import settle
from leakscan.record.surroundings import Surroundings
from leakscan.record.target import load_target

# Any in this file: JSON values, and the classes of tools that are not installed where this is checked.


def cross_check(config: dict[str, Any], events: EventSink) -> None:
    """Run the scenario, take a snapshot, and have the other tools count; files go to `cross_check`."""
    target = load_target(config)
    scenario = Scenario(
        target.call,
        mode=config["mode"],
        chunks=config["chunks"],
        owns_main=config["owns_main"],
    )
    surroundings = Surroundings(scenario)
    scenario.use(surroundings.enter(target))
    for run in range(1, config["runs"] + 1):
        events.write("run_start", run=run, warmup=False)
        scenario.run()
        settle(scenario)
    counters, missing = _counters()
    path = os.path.join(config["cross_check"], "counted.heap")
    for _ in range(2):
        # Twice: what each of the four makes on its first call is there for all when it counts.
        gc.collect()
        snapshot.record(path, run=config["runs"])
        counted = {name: count() for name, count in counters.items()}
    with open(os.path.join(config["cross_check"], "counted.json"), "w", encoding="utf-8") as file:
        json.dump({"counted": counted, "missing": missing}, file)
    surroundings.leave()
    scenario.close()


def _counters() -> tuple[dict[str, Callable[[], dict[str, Any]]], dict[str, str]]:
    makers = {"objgraph": _objgraph, "guppy3": _guppy}
    counters, missing = {}, {}
    for name, make in makers.items():
        try:
            counters[name] = make()
        except Exception as error:  # a wheel for another version fails in its own ways
            missing[name] = f"{type(error).__name__}: {error}"
    return counters, missing


def _objgraph() -> Callable[[], dict[str, Any]]:
    objgraph: Any = importlib.import_module("objgraph")

    def count() -> dict[str, Any]:
        found = objgraph.typestats(shortnames=False)
        return {
            "version": importlib.metadata.version("objgraph"),
            "types": {name.removeprefix("builtins."): [number, 0] for name, number in found.items()},
        }

    return count


def _guppy() -> Callable[[], dict[str, Any]]:
    guppy: Any = importlib.import_module("guppy").hpy()

    def count() -> dict[str, Any]:
        found: dict[str, list[int]] = {}
        for row in guppy.heap().bytype.stat.get_rows():
            total = found.setdefault(_plain(row.name), [0, 0])
            total[0] += row.count
            total[1] += row.size
        return {"version": importlib.metadata.version("guppy3"), "types": found}

    return count


def _plain(name: str) -> str:
    """`types.CodeType` is called `code` by everybody else."""
    if not name.startswith("types."):
        return name.removeprefix("builtins.")
    known = getattr(types, name.removeprefix("types."), None)
    return known.__qualname__ if isinstance(known, type) else name
