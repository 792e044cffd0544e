"""One tool looks at one big heap. Usage: walk_one.py TOOL ORDERS. Prints its cost as the last line."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable

from heap_program import Store, add_survivors, build
from measure import measured, report_cost


def leakscan_walk(store: Store) -> str:
    import leakscan

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.heap")
        start = time.perf_counter()
        leakscan.snapshot(path)
        seconds = time.perf_counter() - start
        size_bytes = os.path.getsize(path)
        objects = leakscan.load(path).object_count
    rate = objects / seconds / 1e6
    return f"{rate:.1f} M objects/s with names, {size_bytes / objects:.0f} bytes per object on disk"


def leakscan_paths(store: Store) -> str:
    """A snapshot, then all ways in which its orders are held, as `leakscan paths` finds them."""
    import leakscan
    from leakscan.analysis.one_snapshot import paths_to_type

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.heap")
        leakscan.snapshot(path)
        graph = leakscan.load(path)
    found = paths_to_type(graph, "Order")
    return f"{found.count} objects in {len(found.groups)} ways"


def python_walk(store: Store) -> str:
    seen = {id(o) for o in gc.get_objects()}
    queue = deque(gc.get_objects())
    count = 0
    while queue:
        found = queue.popleft()
        count += 1
        for referent in gc.get_referents(found):
            if id(referent) not in seen:
                seen.add(id(referent))
                queue.append(referent)
    return f"{count} objects, no names"


def objgraph_counts(store: Store) -> str:
    import objgraph

    return f"{sum(n for _, n in objgraph.most_common_types(limit=100_000))} tracked objects, counts only"


def objgraph_chain(store: Store, wanted: int) -> str:
    import objgraph

    # held by the store alone, as a survivor of the last run is
    chosen = add_survivors(store, wanted)
    found = [objgraph.find_backref_chain(o, objgraph.is_proper_module) for o in list(chosen)]
    return f"{sum(len(chain) > 1 for chain in found)} of {wanted} chains found"


def guppy_heap(store: Store) -> str:
    from guppy import hpy

    heap = hpy().heap()
    return f"{heap.count} objects, counts and sizes"


def guppy_paths(store: Store, wanted: int) -> str:
    from guppy import hpy

    heap = hpy()
    chosen = add_survivors(store, wanted)
    paths = heap.iso(*chosen).shpaths
    return f"shortest paths: {len(str(paths))} characters"


TOOLS: dict[str, Callable[[Store], str]] = {
    "leakscan": leakscan_walk,
    "leakscan-paths": leakscan_paths,
    "python": python_walk,
    "objgraph": objgraph_counts,
    "objgraph-1": lambda store: objgraph_chain(store, 1),
    "objgraph-100": lambda store: objgraph_chain(store, 100),
    "guppy": guppy_heap,
    "guppy-1": lambda store: guppy_paths(store, 1),
    "guppy-100": lambda store: guppy_paths(store, 100),
}


STORE = Store()


if __name__ == "__main__":
    tool = TOOLS[sys.argv[1]]
    built = build(int(sys.argv[2]))
    STORE.orders, STORE.by_name = built.orders, built.by_name
    del built
    gc.collect()
    print(Counter({"orders": len(STORE.orders)}))
    report_cost(measured(lambda: tool(STORE)))
