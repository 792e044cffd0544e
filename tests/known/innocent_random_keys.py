"""Every run looks up five of sixty users, at random: the table of users fills ever more slowly."""

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
    for _ in range(5):
        number = DRAW.randrange(60)
        if number not in DIRECTORY.users:
            DIRECTORY.users[number] = User(number)
