"""What it costs to know the birth of every object, beside tracemalloc and memray.

Usage: bench_births.py [ROUNDS]. Each figure is the median over pairs of rounds, one without and one with
the tool, in CPU time of this process, after a round that the tool sees first: what is touched for the first
time is paid once, not in each run. Close other programs, or the medians wander by a tenth.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from heap_program import build
from leakscan import _native
from leakscan.record import births


@dataclass(frozen=True, slots=True)
class Slowdown:
    program: str
    tool: str
    ratio: float
    milliseconds_without: float


@dataclass(frozen=True, slots=True)
class ShadowMemory:
    heap_mb: float
    births_mb: float
    wide_births_mb: float
    sites_mb: float


def orders() -> None:
    build(4000)


def requests() -> None:
    text = json.dumps([{"id": i, "name": f"n{i}", "tags": ["a", i], "score": i * 0.5} for i in range(300)])
    for _ in range(20):
        json.loads(text)


def tree() -> None:
    def grow(depth: int) -> tuple[object, object] | None:
        return (grow(depth - 1), grow(depth - 1)) if depth else None

    for _ in range(2):
        grow(15)


def tasks() -> None:
    async def step(queue: asyncio.Queue[dict[str, int]]) -> None:
        for number in range(20):
            await queue.put({"number": number})
            await asyncio.sleep(0)
            await queue.get()

    async def main() -> None:
        queue: asyncio.Queue[dict[str, int]] = asyncio.Queue()
        await asyncio.gather(*(step(queue) for _ in range(100)))

    asyncio.run(main())


def churn() -> None:
    """The worst case: nothing but small containers made and dropped at once."""
    for number in range(150_000):
        _ = [number], {"a": number}


PROGRAMS: tuple[Callable[[], None], ...] = (orders, requests, tree, tasks, churn)


def programs() -> tuple[Callable[[], None], ...]:
    """All of them, with the service where FastAPI is installed."""
    if importlib.util.find_spec("fastapi") is None:
        return PROGRAMS
    from service_program import service

    return (service, *PROGRAMS)


@contextlib.contextmanager
def with_births(*, sites: bool = False, works: bool = False) -> Iterator[None]:
    name = "leakscan.record.works"
    # Works are recorded where the program has imported what names them.
    module = importlib.import_module(name) if works else None
    hidden = None if works else sys.modules.pop(name, None)
    births.arm(runs=20, sites=sites)
    births.begin_run(1)
    try:
        with module.work("POST /chat") if module else contextlib.nullcontext():
            yield
    finally:
        births.disarm()
        if hidden is not None:
            sys.modules[name] = hidden


@contextlib.contextmanager
def with_tracemalloc() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


@contextlib.contextmanager
def with_memray() -> Iterator[None]:
    import memray

    with (
        tempfile.TemporaryDirectory() as folder,
        memray.Tracker(os.path.join(folder, "x.bin"), trace_python_allocators=True),
    ):
        yield


def tools() -> dict[str, Callable[[], AbstractContextManager[None]]]:
    found: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "births": with_births,
        "births + works": lambda: with_births(works=True),
        "births + sites": lambda: with_births(sites=True),
        "tracemalloc": with_tracemalloc,
    }
    if importlib.util.find_spec("memray"):
        found["memray"] = with_memray
    return found


def cpu_seconds(work: Callable[[], None]) -> float:
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def slowdown(program: Callable[[], None], tool: str, rounds: int) -> Slowdown:
    without: list[float] = []
    within: list[float] = []
    program()
    for _ in range(rounds):
        without.append(cpu_seconds(program))
        with tools()[tool]():
            program()
            within.append(cpu_seconds(program))
    ratio = statistics.median(one / other for one, other in zip(within, without, strict=True))
    return Slowdown(program.__name__, tool, ratio, statistics.median(without) * 1000)


def shadow_mb(*, runs: int, sites: bool) -> float:
    births.arm(runs=runs, sites=sites)
    births.begin_run(1)
    store = build(20_000)
    size = _native.births_usage()[1]
    births.disarm()
    del store
    return size / 2**20


def shadow_memory() -> ShadowMemory:
    """Of a heap of 20 000 orders, built while births were recorded."""

    def allocated_mb() -> float:
        tracemalloc.start()
        store = build(20_000)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        del store
        return size / 2**20

    return ShadowMemory(
        heap_mb=allocated_mb(),
        births_mb=shadow_mb(runs=20, sites=False),
        wide_births_mb=shadow_mb(runs=1000, sites=False),
        sites_mb=shadow_mb(runs=20, sites=True),
    )


def figures(rounds: int) -> tuple[list[Slowdown], ShadowMemory]:
    """Slowdown of each program under each tool that is installed, and the memory of the shadow."""
    return [slowdown(program, tool, rounds) for program in programs() for tool in tools()], shadow_memory()


def main(rounds: int) -> None:
    slowdowns, memory = figures(rounds)
    names = list(tools())
    print(f"\nCPU time of allocating programs, against the same without the tool ({rounds} rounds)")
    print(f"  {'':12} {'alone':>10}" + "".join(f"{name:>16}" for name in names))
    for program in programs():
        mine = {row.tool: row for row in slowdowns if row.program == program.__name__}
        cells = "".join(f"{'x' + format(mine[name].ratio, '.2f'):>16}" for name in names)
        print(f"  {program.__name__:12} {mine['births'].milliseconds_without:7.1f} ms{cells}")
    means = [statistics.geometric_mean(r.ratio for r in slowdowns if r.tool == name) for name in names]
    print(f"  {'mean':12} {'':10}" + "".join(f"{'x' + format(mean, '.2f'):>16}" for mean in means))
    print(
        f"\nShadow of a heap of {memory.heap_mb:.0f} MB: births {memory.births_mb:.1f} MB, above 252 runs "
        f"{memory.wide_births_mb:.1f} MB, with sites {memory.sites_mb:.1f} MB"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
