"""Four bugs that have nothing to do with one another."""

import itertools


class Order:
    pass


class Invoice:
    pass


class Mail:
    pass


class Shop:
    def __init__(self):
        self.orders = []
        self.invoices = {}


SHOP = Shop()
OUTBOX = set()
LISTENERS = []
numbers = itertools.count()


def run():
    number = next(numbers)
    SHOP.orders.append(Order())
    SHOP.invoices[number] = Invoice()
    OUTBOX.add(Mail())
    LISTENERS.append(lambda: number)
