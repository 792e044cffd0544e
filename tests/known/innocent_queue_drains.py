"""Each run puts work on a queue that a background task finishes a few turns of the loop later."""

import asyncio


class Message:
    def __init__(self, number):
        self.number = number


class Service:
    def __init__(self):
        self.queue = None
        self.worker = None


SERVICE = Service()


async def serve():
    while True:
        message = await SERVICE.queue.get()
        for _ in range(5):
            await asyncio.sleep(0)
        del message


async def run():
    if SERVICE.queue is None:
        SERVICE.queue = asyncio.Queue()
        SERVICE.worker = asyncio.ensure_future(serve())
    for number in range(10):
        SERVICE.queue.put_nowait(Message(number))
