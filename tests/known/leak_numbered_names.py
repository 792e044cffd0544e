"""Each run gives an object a name of its own on a registry that lives for ever: `handler_17`."""


class Registry:
    count = 0


class Handler:
    def __init__(self):
        self.data = bytearray(3000)


registry = Registry()


def run():
    registry.count += 1
    setattr(registry, f"handler_{registry.count}", Handler())
