"""Greenlets that are suspended deep in calls, and one that takes the snapshot itself."""

import greenlet
from ground import watched


class Local:
    def __init__(self, number: int) -> None:
        self.number = number


def deep(depth: int, local: Local) -> int:
    mine = Local(local.number + 1)
    if depth == 0:
        return greenlet.getcurrent().parent.switch("suspended") + mine.number
    return deep(depth - 1, mine)


def build() -> list[greenlet.greenlet]:
    made = [greenlet.greenlet(lambda: deep(30, Local(0))) for _ in range(100)]
    assert [g.switch() for g in made] == ["suspended"] * 100
    return made


waiting = greenlet.greenlet(lambda: watched(build)).switch()
assert [g.switch(5) for g in waiting] == [36] * 100
assert all(g.dead for g in waiting)
print("done")
