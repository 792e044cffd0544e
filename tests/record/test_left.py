"""What a run has left is known again: the same types in the same proportion, with the same holders."""

from __future__ import annotations

import gc
import os

import pytest

from leakscan.record.first_look import MOST_RUNS, RECOGNISED_AFTER, what_is_left
from leakscan.record.left import Left, type_name


class Session:
    def __init__(self) -> None:
        self.name = [self]


def left(kept: list[object]) -> Left:
    found = what_is_left(lambda: kept.append(Session()))
    assert found is not None and found.types
    return found


def test_the_same_in_a_holder_that_has_grown_since_is_known():
    kept: list[object] = []
    first, second = left(kept), left(kept)
    assert second.is_like(first, runs=MOST_RUNS)


def test_another_holder_is_something_else_even_at_the_same_address():
    kept: list[object] = []
    first = left(kept)
    kept.clear()
    assert not left(kept).is_like(first, runs=MOST_RUNS)
    assert not left([]).is_like(first, runs=MOST_RUNS)


def test_something_more_is_something_else():
    kept: list[object] = []
    texts: list[str] = []

    def both() -> None:
        kept.append(Session())
        texts.append("x" * int("40"))

    first, second = left(kept), what_is_left(both)
    assert second is not None and not second.is_like(first, runs=MOST_RUNS)


def test_so_many_times_the_same_is_known():
    kept: list[object] = []
    first = left(kept)
    twice = what_is_left(lambda: kept.extend((Session(), Session())))
    assert twice is not None and twice.is_like(first, runs=MOST_RUNS) and twice != first


def test_what_is_known_is_told_after_fewer_runs():
    kept: list[object] = []
    first = left(kept)
    before = len(kept)
    found = what_is_left(
        lambda: kept.append(Session()), is_known=lambda each: each.is_like(first, runs=MOST_RUNS)
    )
    assert found == first
    assert len(kept) - before == RECOGNISED_AFTER < MOST_RUNS


def test_what_old_garbage_held_is_not_left():
    old = [Session()]
    calls: list[None] = []

    def run() -> None:
        if old:
            old[0].name.append(Session())
            calls.append(None)
            if len(calls) == MOST_RUNS:
                old.clear()

    assert what_is_left(run) is None


class _Odd(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


class Odd(metaclass=_Odd):
    pass


@pytest.mark.parametrize(
    ("kind", "name"), [(int, "int"), (Session, f"{__name__}.Session"), (Odd, f"{__name__}.Odd")]
)
def test_types_have_their_names_whatever_their_metaclass_says(kind: type, name: str):
    assert type_name(kind) == name


def test_a_class_that_the_collector_has_cleared_and_could_not_free_has_a_name():
    class Sentinel(type):
        pass

    # In a child: what is left cannot be freed, and breaks who asks it for its name in the ordinary way.
    pid = os.fork()
    if pid == 0:
        name = ""
        try:

            class Own(Sentinel, metaclass=Sentinel):
                pass

            # It holds itself by its type, which is cut by nothing.
            Own.__class__ = Own  # type: ignore[method-assign,assignment]
            address = id(Own)
            del Own
            gc.collect()
            name = next(type_name(each) for each in gc.get_objects() if id(each) == address)
        finally:
            os._exit(0 if name.endswith("Own") else 1)
    assert os.waitpid(pid, 0)[1] == 0
