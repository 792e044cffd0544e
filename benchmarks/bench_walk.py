"""A heap of 1.6 M objects, looked at by leakscan and by what a user would pick instead."""

from __future__ import annotations

from heap_program import OBJECTS_PER_ORDER
from measure import Cost, in_own_process, print_table

WALKS = (
    ("leakscan snapshot, all references named", "leakscan"),
    ("guppy3 heap()", "guppy"),
    ("pure-Python walk, no names", "python"),
    ("objgraph most_common_types", "objgraph"),
)
PATHS = (
    ("leakscan snapshot + named paths of all", "leakscan-paths"),
    ("guppy3 shpaths of 1", "guppy-1"),
    ("guppy3 shpaths of 100 as one set", "guppy-100"),
    ("objgraph find_backref_chain of 1", "objgraph-1"),
    ("objgraph find_backref_chain of 100", "objgraph-100"),
)


def main(objects: int, *, timeout_seconds: float) -> None:
    orders = str(objects // OBJECTS_PER_ORDER)
    for title, tools in (
        (f"Walk of {objects:,} objects", WALKS),
        (f"Why is it alive? {objects:,} objects", PATHS),
    ):
        rows: list[tuple[str, Cost | str]] = [
            (name, in_own_process("walk_one.py", tool, orders, timeout_seconds=timeout_seconds))
            for name, tool in tools
        ]
        print_table(title, rows)


if __name__ == "__main__":
    main(1_600_000, timeout_seconds=180)
