"""Every run asks a future that never ends to call it back."""

import asyncio


class Waiter:
    def __init__(self):
        self.buffer = bytearray(300)

    def on_shutdown(self, future):
        self.buffer.clear()


class Server:
    def __init__(self):
        self.closed = None


SERVER = Server()


async def run():
    if SERVER.closed is None:
        SERVER.closed = asyncio.get_running_loop().create_future()
    SERVER.closed.add_done_callback(Waiter().on_shutdown)
