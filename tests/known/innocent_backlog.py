"""Runs put work on a queue faster than the one worker, there from the start, works it off."""

import asyncio


class Job:
    def __init__(self):
        self.payload = bytearray(50)


class Service:
    queue = None
    worker = None


async def work():
    while True:
        await Service.queue.get()
        await asyncio.sleep(0.005)


async def run():
    if Service.worker is None:
        Service.queue = asyncio.Queue()
        Service.worker = asyncio.ensure_future(work())
    for _ in range(5):
        Service.queue.put_nowait(Job())
