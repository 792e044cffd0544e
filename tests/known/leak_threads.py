"""Every run starts a thread that waits for a flag nobody sets."""

import threading


class Poller:
    def __init__(self):
        self.stop = threading.Event()
        self.results = ["result"] * 20

    def poll(self):
        self.stop.wait()


def run():
    threading.Thread(target=Poller().poll, daemon=True).start()
