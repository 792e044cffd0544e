"""The graph kernels: cost on heaps of 1.6 M objects, against slow twins, on the shapes that hurt."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import heap_program
import leakscan
from kernel_one import KERNELS
from kernel_shapes import HARD_SHAPES, Shape, heap
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import Csr
from measure import Cost, in_own_process, print_table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import twins


def cpu_seconds(work: Callable[[], object], *, times: int = 3) -> float:
    """The best of `times`."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def store(shape: Shape, directory: Path) -> None:
    shape.csr.first_ref.tofile(directory / "first_ref")
    shape.csr.targets.tofile(directory / "targets")
    shape.roots.tofile(directory / "roots")


def recorded_heap(objects: int) -> Shape:
    """A real heap: a service's orders, recorded by leakscan in this process."""
    service = heap_program.build(objects // heap_program.OBJECTS_PER_ORDER)
    with tempfile.TemporaryDirectory() as directory:
        leakscan.snapshot(Path(directory) / "service.heap")
        del service
        graph = leakscan.load(Path(directory) / "service.heap")
        csr = Csr(np.array(graph.first_ref), np.array(graph.ref_targets))
        return Shape("recorded", csr, np.array(graph.roots.targets))


def on_a_heap(shape: Shape) -> None:
    objects = shape.csr.object_count
    with tempfile.TemporaryDirectory() as directory:
        store(shape, Path(directory))
        rows: list[tuple[str, Cost | str]] = [
            (kernel, in_own_process("kernel_one.py", kernel, directory)) for kernel in KERNELS
        ]
    title = f"{shape.name} heap of {objects:,} objects, {shape.csr.reference_count:,} references"
    print_table(title, rows, first_is_ours=False)


def against_twins(objects: int) -> None:
    """The twins are written for clarity; those that remove one object after another get a small heap."""
    print(f"\nKernels against their slow twins, {objects:,} objects")
    print(f"  {'':22} {'twin':>10} {'kernel':>10} {'ratio':>9}")
    shape = heap(objects)
    csr, roots = shape.csr, shape.roots
    sources = np.repeat(np.arange(objects), np.diff(csr.first_ref).astype(np.int64)).tolist()
    graph = twins.Graph(objects, tuple(zip(sources, csr.targets.tolist(), strict=True)))
    _ = graph.leaving
    root_list = roots.tolist()
    refcounts = np.bincount(csr.targets, minlength=objects)
    pairs: tuple[tuple[str, Callable[[], object], Callable[[], object]], ...] = (
        ("reverse", lambda: twins.reversed_references(graph), lambda: kernels.reverse(csr)),
        ("reachable", lambda: twins.reach(graph, root_list), lambda: kernels.reachable(csr, roots=roots)),
        (
            "dominators",
            lambda: twins.dominators(graph, root_list),
            lambda: kernels.dominators(csr, roots=roots),
        ),
        (
            "collector's view",
            lambda: twins.collector_view(graph, refcounts.tolist(), root_list),
            lambda: kernels.collector_reachability(csr, refcounts, roots=roots),
        ),
    )
    for name, twin, kernel in pairs:
        slow, fast = cpu_seconds(twin, times=1), cpu_seconds(kernel, times=20)
        print(f"  {name:22} {slow * 1e3:8.1f}ms {fast * 1e3:8.3f}ms {'x' + format(slow / fast, ',.0f'):>9}")


def on_hard_shapes(small: int, large: int) -> None:
    """Nanoseconds for each object at both sizes: a kernel that is not linear shows in the ratio."""
    print(f"\nNanoseconds per object at {small:,} and {large:,} objects (a linear kernel: about x1 to x3,")
    print("  the larger one no longer fits the cache)")
    calls: tuple[tuple[str, Callable[[Shape], object]], ...] = (
        ("dominators", lambda shape: kernels.dominators(shape.csr, roots=shape.roots)),
        ("paths", lambda shape: kernels.shortest_paths(shape.csr, roots=shape.roots)),
        ("components", lambda shape: kernels.components(shape.csr)),
    )
    print(f"  {'':24}" + "".join(f"{name:>26}" for name, _ in calls))
    for draw in HARD_SHAPES:
        line = ""
        shapes = draw(small), draw(large)
        for _, call in calls:
            costs = [cpu_seconds(partial(call, at)) / at.csr.object_count * 1e9 for at in shapes]
            line += f"{costs[0]:9.1f} {costs[1]:8.1f} {'x' + format(costs[1] / costs[0], '.1f'):>7}"
        print(f"  {shapes[0].name:24}{line}")


def main(objects: int) -> None:
    on_a_heap(recorded_heap(objects))
    on_a_heap(heap(objects))
    against_twins(2_000)
    on_hard_shapes(100_000, 1_000_000)


if __name__ == "__main__":
    main(1_600_000)
