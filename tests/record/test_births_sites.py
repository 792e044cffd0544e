"""The line that allocated each block."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import leakscan
from leakscan import _native
from leakscan.record import births

HERE = os.path.abspath(__file__)


class Thing:
    pass


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


@pytest.fixture(autouse=True)
def _armed() -> Iterator[None]:
    births.arm(runs=20, sites=True)
    births.begin_run(1)
    yield
    births.disarm()


def site(value: object) -> tuple[str, int, str] | None:
    row = _native.births_of(value)[1]
    return _native.births_site(row - 1) if row else None


def place(value: object) -> tuple[int, str] | None:
    """Line below the `def` that made the value, and its function."""
    found = site(value)
    if found is None:
        return None
    file, line, function = found
    assert os.path.abspath(file) == HERE
    return line, function


def line_here() -> int:
    return sys._getframe(1).f_lineno


def test_each_kind_of_object_knows_its_line() -> None:
    text = "12345"
    first = line_here() + 2
    made: list[object] = [
        Thing(),
        Slotted(1),
        [text],
        {"a": text},
        (text, made_nothing),
        {text},
        text + "6",
        lambda: text,
        bytearray(10),
    ]
    name = "test_each_kind_of_object_knows_its_line"
    assert [place(value) for value in made] == [(first + i, name) for i in range(len(made))]


def made_nothing() -> None:
    return None


def test_an_allocation_in_c_belongs_to_the_python_line_that_called() -> None:
    found = site(json.loads('{"a": [1.5]}'))
    assert found is not None and found[0].endswith("decoder.py")
    parts, line = sorted("ba"), line_here()
    assert place(parts) == (line, "test_an_allocation_in_c_belongs_to_the_python_line_that_called")


def test_generators_and_coroutines_allocate_at_their_own_lines() -> None:
    def items() -> Iterator[object]:
        yield Thing()

    async def answer() -> object:
        return Thing()

    coroutine = answer()
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    first = items.__code__.co_firstlineno
    where = "test_generators_and_coroutines_allocate_at_their_own_lines.<locals>"
    assert [place(next(items())), place(stop.value.value)] == [
        (first + 1, f"{where}.items"),
        (first + 4, f"{where}.answer"),
    ]


def test_comprehensions_allocate_at_their_line() -> None:
    values, line = [[number] for number in range(3)], line_here()
    assert [found[1] for value in values if (found := site(value))] == [line] * 3


def test_other_threads_have_their_own_lines() -> None:
    made: list[object] = []

    def work() -> None:
        made.append(Thing())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert place(made[0]) == (
        work.__code__.co_firstlineno + 1,
        "test_other_threads_have_their_own_lines.<locals>.work",
    )


def test_an_object_recycled_through_a_free_list_gets_its_new_line() -> None:
    old = [[i] for i in range(50)]
    old.clear()
    new, line = [[i] for i in range(50)], line_here()
    assert {found[1] for value in new if (found := site(value))} == {line}


def test_a_code_object_at_the_address_of_a_dead_one_gets_its_own_lines() -> None:
    wrong = []
    for i in range(2000):
        names: dict[str, object] = {}
        exec(compile("\n" * (i % 500) + "x = object()", f"<made {i % 7}>", "exec"), names)
        if site(names["x"]) != (f"<made {i % 7}>", i % 500 + 1, "<module>"):
            wrong.append(i)
    assert wrong == []


def test_the_same_line_of_the_same_function_is_one_site_however_often_it_is_compiled() -> None:
    rows = set()
    for _ in range(20):
        names: dict[str, object] = {}
        exec(compile("def f():\n    return object(), [1]\nx = f()[0]", "<again>", "exec"), names)
        rows.add(_native.births_of(names["x"])[1])
    assert len(rows) == 1


def test_names_outside_ascii_come_out_as_they_are() -> None:
    names: dict[str, object] = {}
    exec(compile("def é漢𠀀():\n    return object()\nx = é漢𠀀()", "<ñ 漢 😀 \udc80>", "exec"), names)
    assert site(names["x"]) == ("<ñ 漢 😀 ?>", 2, names["é漢𠀀"].__qualname__)  # type: ignore[attr-defined]


def test_frames_of_leakscan_are_skipped_for_their_caller() -> None:
    births.begin_run(2)
    line = line_here() + 1
    names = births.arm.__kwdefaults__ | {"a": 1}
    assert place(names) == (line, "test_frames_of_leakscan_are_skipped_for_their_caller")
    collected = [births.begin_run(run) + 10**6 for run in (3, 4)]
    assert {found[0] for value in collected if (found := site(value))} == {HERE}


def test_there_are_no_sites_unless_they_were_asked_for() -> None:
    births.arm(runs=20)
    births.begin_run(1)
    assert site(Thing()) is None
    with pytest.raises(IndexError):
        _native.births_site(0)


def test_sites_start_afresh_when_armed_again() -> None:
    before = _native.births_stats()["sites"]
    births.arm(runs=1000, sites=True)
    births.begin_run(1)
    thing, line = Thing(), line_here()
    assert place(thing) == (line, "test_sites_start_afresh_when_armed_again")
    assert before > 0 and _native.births_stats()["width"] == 16


def test_a_snapshot_carries_the_line_of_each_object_born(tmp_path: Path) -> None:
    births.begin_run(2)
    things, line = [Thing() for _ in range(100)], line_here()
    births.begin_own()
    leakscan.snapshot(tmp_path / "x.heap")
    graph = leakscan.load(tmp_path / "x.heap")
    lines: Counter[tuple[str, int, str, int]] = Counter()
    for item in range(graph.object_count):
        if not graph.type_name(item).endswith(".Thing"):
            continue
        row = int(graph.sites[item]) - 1
        if row >= 0:
            file = graph.strings[int(graph.site_files[row])]
            function = graph.strings[int(graph.site_functions[row])]
            lines[file, int(graph.site_lines[row]), function, int(graph.births[item])] += 1
    where = "test_a_snapshot_carries_the_line_of_each_object_born"
    if sys.version_info < (3, 12):
        where += ".<locals>.<listcomp>"
    assert len(things) == 100
    assert lines == {(HERE, line, where, 2): 100}
