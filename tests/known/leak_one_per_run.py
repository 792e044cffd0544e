"""Each run leaves one session in a module-level list."""


class Session:
    def __init__(self):
        self.history = ["hello"] * 20


SESSIONS = []


def run():
    SESSIONS.append(Session())
