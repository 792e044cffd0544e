"""One buffer that every run adds to."""


class Recorder:
    def __init__(self):
        self.tape = bytearray()


RECORDER = Recorder()


def run():
    RECORDER.tape += bytes(5000)
