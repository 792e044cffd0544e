"""A history that is cut back to its half whenever it has grown past sixty."""


class Entry:
    def __init__(self, text):
        self.text = text


class History:
    def __init__(self):
        self.entries = []

    def add(self, entry):
        self.entries.append(entry)
        if len(self.entries) > 60:
            del self.entries[:30]


HISTORY = History()


def run():
    for number in range(4):
        HISTORY.add(Entry(f"entry {number}"))
