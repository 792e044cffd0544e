"""A default argument that is a list."""


class Item:
    pass


def collect(item, seen=[]):  # noqa: B006 - the bug
    seen.append(item)
    return seen


def run():
    collect(Item())
