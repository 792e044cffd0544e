"""Every run looks up ten of a hundred users, at random: the table of users fills ever more slowly."""

import random


class User:
    def __init__(self, number):
        self.number = number


class Directory:
    def __init__(self):
        self.users = {}


DIRECTORY = Directory()
DRAW = random.Random(7)


def run():
    for _ in range(10):
        number = DRAW.randrange(100)
        if number not in DIRECTORY.users:
            DIRECTORY.users[number] = User(number)
