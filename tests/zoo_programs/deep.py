"""Long chains of every kind that can nest; SCALE is the length of the list of nodes."""

from __future__ import annotations

import functools
import gc
import itertools

from ground import SCALE, watched

gc.disable()


class Node:
    __slots__ = ("next",)

    def __init__(self, following: Node | None) -> None:
        self.next = following


def build() -> list[object]:
    head: Node | None = None
    for _ in range(SCALE):
        head = Node(head)
    nest: object = None
    for number in range(SCALE // 10):
        nest = ([nest], {"k": nest}, (nest, number))[number % 3]
    closure = lambda: None  # noqa: E731
    partial: object = closure
    iterator: object = iter(())
    error: BaseException | None = None
    for number in range(SCALE // 100):
        closure = functools.partial(lambda inner, _: inner, closure)  # type: ignore[assignment]
        partial = functools.partial(print, partial, number)
        iterator = itertools.chain(iterator, ())  # type: ignore[call-overload]
        following = ValueError(number)
        following.__context__ = error
        error = following
    return [head, nest, closure, partial, iterator, error]


def unlink(node: Node | None) -> int:
    length = 0
    while node is not None:
        node.next, node = None, node.next  # by hand: not every version drops a long chain without recursion
        length += 1
    return length


kept = watched(build)
print(unlink(kept[0]))
