"""64 threads change dicts, lists and sets while snapshots are taken; SCALE is how many."""

from __future__ import annotations

import sys
import threading

from ground import FOLDER, SCALE

from leakscan.record.snapshot import snapshot

THREADS = 64
sys.setswitchinterval(0.0005)  # else 64 busy threads keep the lock for 0.3 s in turn
stop = threading.Event()
shared: dict[object, object] = {}
rounds = [0] * THREADS


class Item:
    def __init__(self, number: int) -> None:
        self.number = number


def churn(mine: int) -> None:
    own: dict[int, object] = {}
    members: set[object] = set()
    while not stop.is_set():
        for number in range(200):
            own[number] = Item(number)
            shared[mine, number] = [own.get(number - 1), {number: members}]
            members.add((mine, number))
        own.clear()
        members.clear()
        for number in range(200):
            shared.pop((mine, number), None)
        rounds[mine] += 1


threads = [threading.Thread(target=churn, args=(mine,), name=f"churn-{mine}") for mine in range(THREADS)]
for thread in threads:
    thread.start()
for number in range(SCALE):
    snapshot(FOLDER / f"{number % 10}.heap")
snapshot(FOLDER / "after.heap")
before = list(rounds)
stop.set()
for thread in threads:
    thread.join()
assert all(after >= 1 for after in rounds), rounds
print(sum(rounds) >= sum(before))
