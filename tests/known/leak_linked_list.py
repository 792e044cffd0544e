"""A history linked both ways, of which a class attribute holds the youngest entry only."""


class Entry:
    def __init__(self, before):
        self.before = before
        self.after = None
        if before is not None:
            before.after = self


class History:
    youngest = None


def run():
    for _ in range(10):
        History.youngest = Entry(History.youngest)
