"""Every run puts a handler before the one that was there, and never takes it away."""

import signal


class Shutdown:
    def __init__(self, before):
        self.before = before
        self.state = ["running"] * 20

    def __call__(self, number, frame):
        self.state.clear()


def run():
    signal.signal(signal.SIGUSR1, Shutdown(signal.getsignal(signal.SIGUSR1)))
