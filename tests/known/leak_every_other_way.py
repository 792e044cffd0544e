"""Two ways through the code take turns; one of them forgets its subscription."""

import itertools


class Subscription:
    def __init__(self, topic):
        self.topic = topic


class Hub:
    def __init__(self):
        self.subscriptions = []


HUB = Hub()
ways = itertools.cycle(["pull", "push"])


def run():
    subscription = Subscription("news")
    HUB.subscriptions.append(subscription)
    if next(ways) == "pull":
        HUB.subscriptions.remove(subscription)
