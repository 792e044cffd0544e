"""Whether the text of an expression tells the type of what it makes."""

from __future__ import annotations

import ast

import pytest

from leakscan.analysis.lines.makes import makes


def told(text: str, type_name: str) -> bool | None:
    statement = ast.parse(text).body[0]
    return makes(statement.value if isinstance(statement, ast.Expr) else statement, type_name)


@pytest.mark.parametrize(
    ("text", "type_name"),
    [
        ("[]", "list"),
        ("[x for x in y]", "list"),
        ("{}", "dict"),
        ("{x: 1 for x in y}", "dict"),
        ("{1}", "set"),
        ("{x for x in y}", "set"),
        ("(1, 2)", "tuple"),
        ("f'{x}'", "str"),
        ("lambda: 1", "function"),
        ("(x for x in y)", "generator"),
        ("class A: pass", "type"),
        ("def f(): pass", "function"),
        ("'text'", "str"),
        ("1", "int"),
        ("(x := [])", "list"),
        ("x or []", "list"),
        ("[] if x else None", "list"),
        ("[None] * 9", "list"),
        ("sorted(x)", "list"),
        ("deque(maxlen=9)", "collections.deque"),
        ("collections.defaultdict(list)", "collections.defaultdict"),
        ("list[int]()", "list"),
        ("field(default_factory=dict)", "dict"),
        ("field(default_factory=lambda: [])", "list"),
        ("attr.ib(factory=dict)", "dict"),
        ("attr.ib(default=Factory(dict))", "dict"),
        ("PrivateAttr(default_factory=app.Registry)", "app.Registry"),
        ("cast('list[int]', [])", "list"),
        ("lru_cache(maxsize=9)(f)", "functools._lru_cache_wrapper"),
        ("cache(f)", "functools._lru_cache_wrapper"),
    ],
)
def test_it_makes_what_its_text_says(text: str, type_name: str):
    assert told(text, type_name) is True


@pytest.mark.parametrize(
    ("text", "type_name"),
    [
        ("[]", "dict"),
        ("None", "list"),
        ("None or 1", "list"),
        ("{} if x else ()", "list"),
        ("dict()", "list"),
        ("field(default_factory=dict)", "list"),
        ("sorted(x)", "dict"),
        ("def f(): pass", "dict"),
        ("queue.SimpleQueue()", "list"),
    ],
)
def test_it_makes_something_else(text: str, type_name: str):
    assert told(text, type_name) is False


@pytest.mark.parametrize(
    ("text", "type_name"),
    [
        ("make()", "list"),
        ("x", "list"),
        ("x or None", "list"),
        ("a + b", "list"),
        ("{} | x", "list"),
        ("field(init=False)", "list"),
        ("[]", ""),
        ("other(f)", "functools._lru_cache_wrapper"),
        ("@decorated\ndef f(): pass", "function"),
    ],
)
def test_its_text_does_not_tell(text: str, type_name: str):
    assert told(text, type_name) is None
