"""Tasks wait for a lock that nobody gives back."""

import asyncio


class Upload:
    def __init__(self):
        self.buffer = bytearray(500)


class Gate:
    lock = None


async def send(upload):
    async with Gate.lock:
        return upload


async def run():
    if Gate.lock is None:
        Gate.lock = asyncio.Lock()
        await Gate.lock.acquire()
    Gate.task = asyncio.ensure_future(send(Upload()))
    await asyncio.sleep(0)
