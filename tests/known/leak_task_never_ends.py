"""Each run starts a task that waits for an event nobody sets; the loop's callers keep the task."""

import asyncio


class Job:
    def __init__(self):
        self.payload = bytearray(1000)


class Worker:
    def __init__(self):
        self.stopped = None
        self.tasks = set()


WORKER = Worker()


async def work(job):
    await WORKER.stopped.wait()
    return job


async def run():
    if WORKER.stopped is None:
        WORKER.stopped = asyncio.Event()
    WORKER.tasks.add(asyncio.ensure_future(work(Job())))
    await asyncio.sleep(0)
