"""Asks one question of one snapshot in a process of its own: `query_one.py SNAPSHOT SQL`; prints its cost."""

from __future__ import annotations

import sys
from dataclasses import replace

from kernel_one import resident_peak_mb
from leakscan.answers.query.ask import database
from measure import measured, report_cost


def main(snapshot: str, sql: str) -> None:
    tables = database(snapshot)
    tables.query("SELECT count(*) FROM refs, objects WHERE false")
    cost = measured(lambda: f"{len(tables.query(sql, limit=100).rows)} rows")
    # The whole process: the heap and its tables are what a question costs.
    report_cost(replace(cost, extra_peak_mb=resident_peak_mb()))


if __name__ == "__main__":
    main(*sys.argv[1:])
