"""Kept exceptions keep the frames they passed through, and what those frames were working on."""


class Document:
    def __init__(self):
        self.text = "x" * 500


ERRORS = []


def parse(document):
    raise ValueError("malformed")


def run():
    document = Document()
    try:
        parse(document)
    except ValueError as error:
        ERRORS.append(error)
