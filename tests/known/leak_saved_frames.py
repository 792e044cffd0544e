"""A profiler keeps frames, and with them what their functions were working on."""

import sys

FRAMES = []


class Request:
    def __init__(self):
        self.body = ["line"] * 10


def handle(request):
    FRAMES.append(sys._getframe())


def run():
    handle(Request())
