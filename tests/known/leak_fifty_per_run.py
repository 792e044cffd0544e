"""Each run leaves fifty chunks in a dict of a module-level object."""


class Chunk:
    __slots__ = ("number", "text")

    def __init__(self, number):
        self.number = number
        self.text = f"chunk {number}"


class Store:
    def __init__(self):
        self.chunks = {}


STORE = Store()


def run():
    for _ in range(50):
        number = len(STORE.chunks)
        STORE.chunks[number] = Chunk(number)
