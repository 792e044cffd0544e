"""Classes made in each run are asked about an abstract class, which remembers them weakly."""

import abc


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self):
        raise NotImplementedError


def run():
    made = type("Square", (), {"area": lambda self: 1})
    Shape.register(made)
    return isinstance(made(), Shape)
