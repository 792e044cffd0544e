"""A table that is weak by key, whose values keep their own keys."""

import weakref


class Widget:
    pass


class Style:
    def __init__(self, widget):
        self.widget = widget


STYLES = weakref.WeakKeyDictionary()


def run():
    widget = Widget()
    STYLES[widget] = Style(widget)
