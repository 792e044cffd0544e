"""Runs a generated program and counts, to prove its truth.

A process of its own: python -m leakgen.driver DIR TASK
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import json
import sys
import time
from collections import Counter
from collections.abc import Callable


class Runner:
    """Calls `run` as a service would: one event loop for all runs, streams read to their end."""

    def __init__(self, run: Callable[[], object]) -> None:
        self.run = run
        self.loop = asyncio.new_event_loop()

    def once(self) -> None:
        made = self.run()
        if hasattr(made, "__aiter__"):
            self.loop.run_until_complete(self._read(made))
        elif inspect.iscoroutine(made):
            self.loop.run_until_complete(made)
        elif hasattr(made, "__next__"):
            for _ in made:
                pass

    async def _read(self, stream: object) -> None:
        async for _ in stream:
            pass

    def settle(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self.loop.run_until_complete(asyncio.sleep(0.02))
            if time.monotonic() > end:
                break
        for _ in range(3):
            gc.collect()


def census() -> Counter[str]:
    """Instances of the program's own classes, by the last part of the name."""
    return Counter(
        type(o).__qualname__.rpartition(".")[2]
        for o in gc.get_objects()
        if type(o).__module__ == "scenario" or type(o).__module__.startswith("svc")
    )


def space(leak: dict, loop: object) -> dict:
    module = importlib.import_module(leak["module"])
    module.__dict__["LOOP"] = loop
    return module.__dict__


def count(leak: dict, loop: object) -> float:
    if leak["probe"]:
        return eval(leak["probe"], space(leak, loop))
    numbers = census()
    return sum(numbers[name] for name in leak["own"]) / sum(leak["types"][name] for name in leak["own"])


def leaks(truth: dict, runner: Runner) -> dict:
    """Growth of each leak in the counted runs, and what is left after its cure."""
    answer = []
    for _ in range(truth["warmup"]):
        runner.once()
    runner.settle(0.3)
    before = [count(leak, runner.loop) for leak in truth["leaks"]]
    for _ in range(truth["runs"]):
        runner.once()
    runner.settle(0.3)
    after = [count(leak, runner.loop) for leak in truth["leaks"]]
    for leak, was, now in zip(truth["leaks"], before, after, strict=True):
        parts = leak["cure"].split(" ;; ")
        for part in parts:
            exec(part, space(leak, runner.loop))
        runner.settle(0.4)
        answer.append({"family": leak["family"], "grew": now - was, "left": count(leak, runner.loop)})
    return {"leaks": answer}


def innocents(truth: dict, runner: Runner) -> dict:
    """Growth of everything between run 110 and run 210."""
    for _ in range(110):
        runner.once()
    runner.settle(1.0)
    before, objects = census(), len(gc.get_objects())
    for _ in range(100):
        runner.once()
    runner.settle(1.0)
    after = census()
    return {
        "grew": {n: c - before[n] for n, c in after.items() if c > before[n]},
        "objects": len(gc.get_objects()) - objects,
    }


def main() -> None:
    folder, task = sys.argv[1:]
    sys.path.insert(0, folder)
    with open(f"{folder}/truth.json", encoding="utf-8") as file:
        truth = json.load(file)
    runner = Runner(importlib.import_module("scenario").run)
    print("ANSWER " + json.dumps({"leaks": leaks, "innocents": innocents}[task](truth, runner)), flush=True)
    import os

    os._exit(0)  # not joined: threads of the leaks that wait for ever


if __name__ == "__main__":
    main()
