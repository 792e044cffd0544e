"""A process with a heap of a wanted size, in the proportions of a service: instances, dicts, lists, strings.

One order is 16 to 17 objects; 100 000 orders make the 1.6 M objects and 5 M references
that the figures in the design were measured on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

OBJECTS_PER_ORDER = 16


@dataclass
class Line:
    sku: str
    price: float
    attributes: dict[str, object]


class Order:
    def __init__(self, number: int, previous: Order | None) -> None:
        self.number = number + 1_000_000
        self.name = f"order-{number}"
        self.previous = previous
        self.lines = [
            Line(f"sku-{number}-{i}", number * 1.5 + i, {"size": i, "tag": f"t{number}"}) for i in range(2)
        ]
        self.status = ("open", number + 2_000_000)


@dataclass
class Store:
    orders: list[Order] = field(default_factory=list)
    by_name: dict[str, Order] = field(default_factory=dict)


def build(orders: int) -> Store:
    """A store of `orders` orders, each linked to the one before it."""
    store = Store()
    previous = None
    for number in range(orders):
        previous = Order(number, previous)
        store.orders.append(previous)
        store.by_name[previous.name] = previous
    return store


def add_survivors(store: Store, count: int) -> list[Order]:
    """`count` further orders, reachable only through the store: what a leak of the last runs looks like."""
    first = len(store.orders)
    new = [Order(first + i, store.orders[-1]) for i in range(count)]
    store.orders.extend(new)
    return new
