"""Builtin objects are called by what is in them."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.causes.shapes import shape_of
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Findings
from leakscan.report.share.redaction import Redaction, Redactor


def shape(text: str, *names: str) -> str:
    graph = heap("\n".join(f"{name}: {kind}" for name, kind in KINDS.items()) + "\n" + text)
    return shape_of(graph, [graph[name] for name in names])


KINDS = {"x": "str", "y": "str", "c": "app.Chunk", "c2": "app.Chunk", "s": "app.Session"}


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("a: dict; a -['role']-> x; a -['content']-> y", ["a"], "dict {content, role}"),
        ("a: dict; b: dict; a -['role']-> x; b -['role']-> y", ["a", "b"], "dict {role}"),
        ("a: dict; b: dict; a -['user_1']-> x; b -['user_2']-> y", ["a", "b"], ""),
        ("a: dict; a -['b c']-> x", ["a"], ""),
        ("a: dict; a -['role']-> x; a -[int 3]-> y", ["a"], ""),
        ("a: dict; a -['e']-> x; a -['d']-> x; a -['c']-> x; a -['b']-> x; a -['a']-> x", ["a"],
         "dict {a, b, c, d, ...}"),
        ("a: dict", ["a"], ""),
        ("a: list; a -[0]-> c; a -[1]-> c2", ["a"], "list of Chunk"),
        ("a: list; a -[0]-> c; a -[1]-> s", ["a"], ""),
        ("a: list", ["a"], ""),
        ("a: tuple; b: tuple; a -[0]-> x; a -[1]-> s; b -[0]-> y; b -[1]-> s", ["a", "b"],
         "tuple (str, Session)"),
        ("a: tuple; b: tuple; a -[0]-> c; b -[0]-> c; b -[1]-> c2", ["a", "b"], "tuple of Chunk"),
        ("a: set; a -[{}]-> c; a -[{}]-> c2", ["a"], "set of Chunk"),
        ("a: app.Other; a -[.x]-> c", ["a"], ""),
    ],
)  # fmt: skip
def test_the_shape_of_drawn_objects(text: str, names: list[str], expected: str):
    assert shape(text, *names) == expected


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("a: Object; a -[.id]-> x; a -[.$user]-> y", ["a"], "Object {id, $user}"),
        ("a: Object; b: Object; a -[.id]-> x; b -[.id]-> y; b -[.at]-> y", ["a", "b"], ""),
        ("a: Object; b: Object; a -[.u1]-> x; b -[.u2]-> y", ["a", "b"], ""),
        ("a: Object; a -[.id]-> x; a -[element [17]]-> y", ["a"], ""),
        ("a: Object; a -[.id]-> x; a -[.an e-mail]-> y", ["a"], ""),
        ("a: Object; a -[internal map]-> x", ["a"], ""),
        ("a: Array; a -[element [0]]-> c; a -[element [1]]-> c2", ["a"], "Array of Chunk"),
        ("a: Session; a -[.id]-> x", ["a"], ""),
    ],
)
def test_the_shape_of_objects_of_v8(text: str, names: list[str], expected: str):
    kinds = "\n".join(f"{name}: {kind.rpartition('.')[2]}" for name, kind in KINDS.items())
    graph = heap(f"{kinds}\n{text}", runtime="v8")
    assert shape_of(graph, [graph[name] for name in names]) == expected


def test_the_order_of_the_keys_does_not_matter():
    one = shape("a: dict; a -['x']-> x; a -['y']-> y", "a")
    assert one == shape("a: dict; a -['y']-> y; a -['x']-> x", "a") == "dict {x, y}"


def test_a_container_of_millions_is_known_by_its_beginning():
    items = "\n".join(f"a -[{i}]-> c" for i in range(500))
    assert shape(f"a: list\n{items}", "a") == "list of Chunk"
    keys = "\n".join(f"a -['k{i}']-> c" for i in range(500))
    assert shape(f"a: dict\n{keys}", "a") == ""


def test_keys_of_a_shape_are_redacted():
    redactor = Redactor(Redaction.KEYS)
    assert redactor.name("dict {content, role, ...} in Chat.rows['role'][*]") == (
        "dict {key1, key2, ...} in Chat.rows['key2'][*]"
    )
    assert redactor.name("Object {content}") == "Object {key1}"


def test_a_leak_of_dicts_is_headed_by_their_shape_and_keeps_its_signature():
    def findings(keys: str) -> Findings:
        before = "module app -> m -[.LOG]-> log; m: module name=app; log: list birth=0"
        after = [before]
        for run in range(6):
            after += [f"log -[{run}]-> d{run}; d{run}: dict birth={run + 1} size=100"]
            after += [f"d{run} -['{key}']-> x{run}{key}; x{run}{key}: str birth={run + 1}" for key in keys]
        return diff(heap(before), heap("\n".join(after)), runs=6)

    one, other = findings("ab"), findings("cd")
    assert "6 dict {a, b} survive 6 runs" in one.headline
    assert one.leaks[0].name == "dict {a, b} in app.LOG[*]"
    assert one.leaks[0].signature == other.leaks[0].signature


def many(count: int, *, other: int) -> str:
    """Dicts with one key, of which the one with this number has another."""
    keys = ("other" if number == other else "role" for number in range(count))
    text = "\n".join(f"d{number}: dict; d{number} -['{key}']-> x" for number, key in enumerate(keys))
    return shape(text, *(f"d{number}" for number in range(count)))


def test_twenty_dicts_with_the_same_keys_speak_for_the_others():
    assert (many(40, other=15), many(40, other=25)) == ("", "dict {role}")


@pytest.mark.parametrize(("keys", "is_named"), [(60, True), (70, False)])
def test_a_dict_of_many_names_is_one_of_data(keys: int, is_named: bool):
    text = "a: dict\n" + "\n".join(f"a -['n{number:02}']-> x" for number in range(keys))
    assert shape(text, "a") == ("dict {n00, n01, n02, n03, ...}" if is_named else "")


@pytest.mark.parametrize(("length", "is_named"), [(24, True), (25, False)])
def test_a_long_key_is_no_name(length: int, is_named: bool):
    key = "k" * length
    assert shape(f"a: dict; a -['{key}']-> x", "a") == (f"dict {{{key}}}" if is_named else "")


@pytest.mark.parametrize(
    ("items", "expected"),
    [(4, "tuple (str, str, str, str)"), (5, "tuple of str")],
)
def test_a_tuple_of_a_few_items_is_a_record(items: int, expected: str):
    assert shape("a: tuple\n" + "\n".join(f"a -[{number}]-> x" for number in range(items)), "a") == expected
