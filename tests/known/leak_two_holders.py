"""Each run is held twice: by a registry and by a listener. Cutting one frees nothing."""


class Run:
    def __init__(self, number):
        self.number = number
        self.buffer = [number] * 100

    def on_event(self):
        return self.number


class Registry:
    def __init__(self):
        self.runs = {}


class Bus:
    def __init__(self):
        self.handlers = []


REGISTRY = Registry()
BUS = Bus()


def run():
    number = len(REGISTRY.runs)
    REGISTRY.runs[number] = made = Run(number)
    BUS.handlers.append(made.on_event)
