"""Snapshots while a timer interrupts every call, other children end, and somebody waits for any child."""

from __future__ import annotations

import os
import signal
import threading

from ground import FOLDER, SCALE

from leakscan.errors import RecordError
from leakscan.record.snapshot import snapshot

ticks: list[int] = []
ended: list[int] = []
stop = threading.Event()


def tick(number: int, frame: object) -> None:
    ticks.append(number)


def child_ended(number: int, frame: object) -> None:
    ended.append(number)


def reap() -> None:
    while not stop.is_set():
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            continue


signal.signal(signal.SIGALRM, tick)
signal.signal(signal.SIGCHLD, child_ended)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for number in range(SCALE):
    child = os.fork()
    if child == 0:
        os._exit(7)
    snapshot(FOLDER / f"timer-{number}.heap")
    assert os.waitpid(child, 0)[1] >> 8 == 7
thread = threading.Thread(target=reap)
thread.start()
failures = 0
for number in range(SCALE):
    try:
        snapshot(FOLDER / f"reaped-{number}.heap")
    except RecordError:
        failures += 1
stop.set()
thread.join()
signal.setitimer(signal.ITIMER_REAL, 0)
assert ticks
assert len(ended) >= SCALE
print(failures)
