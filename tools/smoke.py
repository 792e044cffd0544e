"""A scenario that leaks, for trying an installed leakscan: `leakscan capture tools/smoke.py:work`."""


class Session:
    pass


KEPT = []


def work() -> None:
    KEPT.append(Session())
