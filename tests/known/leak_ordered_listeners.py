"""An emitter keeps its listeners in an ordered dict, by themselves."""

from collections import OrderedDict


class Emitter:
    def __init__(self):
        self.listeners = {"chunk": OrderedDict()}

    def on(self, event, listener):
        self.listeners[event][listener] = listener


class Stream:
    def __init__(self):
        self.chunks = ["chunk"] * 50

    def on_chunk(self, chunk):
        self.chunks.append(chunk)


EMITTER = Emitter()


def run():
    EMITTER.on("chunk", Stream().on_chunk)
