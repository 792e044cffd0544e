"""A class is made in each run and dropped: its base knows it by a weak reference only."""


class Base:
    pass


def run():
    made = type("Made", (Base,), {"text": "x" * 50})
    return made()
