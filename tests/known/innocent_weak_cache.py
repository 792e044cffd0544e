"""A weak cache whose values die with their last user."""

import weakref


class Page:
    def __init__(self, number):
        self.number = number


PAGES = weakref.WeakValueDictionary()


def run():
    pages = [Page(number) for number in range(20)]
    for page in pages:
        PAGES[page.number] = page
    return len(PAGES)
