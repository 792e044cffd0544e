"""Makes the pair of snapshots that bench_diff.py compares. Usage: diff_pair.py BEFORE AFTER ORDERS RUNS.

Births are armed and each run leaves ten orders in a store of ORDERS, as a leaking service would.
"""

from __future__ import annotations

import gc
import sys

from heap_program import Store, add_survivors, build
from leakscan.record import births
from leakscan.record.snapshot import record

STORE = Store()


def main(before: str, after: str, orders: int, runs: int) -> None:
    built = build(orders)
    STORE.orders, STORE.by_name = built.orders, built.by_name
    del built
    gc.collect()
    births.arm(runs=runs)
    record(before)
    for run in range(1, runs + 1):
        births.begin_run(run)
        add_survivors(STORE, 10)
    births.begin_own()
    record(after, run=runs)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
