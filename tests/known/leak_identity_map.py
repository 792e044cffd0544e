"""A session that is never closed knows every row it ever read, by table and key."""

import itertools


class State:
    def __init__(self, session, key):
        self.session = session
        self.key = key


class Row:
    def __init__(self, session, key):
        self.values = {"name": f"row {key}"}
        self.state = State(session, key)


class Session:
    def __init__(self):
        self.identity_map = {}

    def get(self, key):
        if key not in self.identity_map:
            self.identity_map[key] = Row(self, key)
        return self.identity_map[key]


SESSION = Session()
keys = itertools.count()


def run():
    for _ in range(3):
        SESSION.get(("users", next(keys)))
