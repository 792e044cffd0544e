"""A module keeps the result of the last run, and only that."""


class Response:
    def __init__(self):
        self.body = ["line"] * 50


class Client:
    last = None


def run():
    Client.last = Response()
