"""Streams that a client never read to the end wait in a list of open streams."""


class Connection:
    def __init__(self):
        self.buffer = bytearray(200)


OPEN = []


async def stream(connection):
    for number in range(10):
        yield number, connection


async def run():
    opened = stream(Connection())
    await anext(opened)
    OPEN.append(opened)
