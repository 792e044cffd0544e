"""Every run makes a class and registers how it is to be written."""

from functools import singledispatch


@singledispatch
def encode(value):
    return str(value)


def run():
    made = type("Message", (), {})
    encode.register(made, lambda value: "message")
