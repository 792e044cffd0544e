"""A thread local keeps every connection the thread ever opened."""

import threading


class Connection:
    def __init__(self):
        self.buffer = bytearray(2000)


LOCAL = threading.local()


def run():
    if not hasattr(LOCAL, "connections"):
        LOCAL.connections = []
    LOCAL.connections.append(Connection())
