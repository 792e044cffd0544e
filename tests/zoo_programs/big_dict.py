"""One dict of SCALE entries, one set of as many, and one list."""

from __future__ import annotations

from ground import SCALE, watched


def build() -> list[object]:
    table = {number: str(number) for number in range(SCALE)}
    return [table, set(table), list(table.values())]


kept = watched(build)
table = kept[0]
assert len(table) == SCALE
assert table[SCALE // 2] == str(SCALE // 2)
print("done")
