"""One document under two keys of one table, and its key kept in a list besides."""

import itertools


class Document:
    def __init__(self, number):
        self.number = number


class Library:
    def __init__(self):
        self.by_key = {}


LIBRARY = Library()
numbers = itertools.count()


def run():
    number = next(numbers)
    document = Document(number)
    LIBRARY.by_key[f"id {number}"] = document
    LIBRARY.by_key[f"title of {number}"] = document
