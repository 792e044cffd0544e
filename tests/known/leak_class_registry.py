"""Each run makes a class, and a registry of classes keeps it."""


class Plugin:
    registry = {}

    def __init_subclass__(cls):
        Plugin.registry[cls.__name__] = cls


def run():
    type(f"Plugin{len(Plugin.registry)}", (Plugin,), {})
