"""Targets that open something once and give what a run calls: generators with one `yield`, and methods."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, Final

from leakscan.errors import CaptureError
from leakscan.record.parameters import parameters_of

# Any in this file: what the target defines.

_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x200
"""CO_ flags of code objects."""
_REPEATING: Final = (ast.For, ast.AsyncFor, ast.While)
_WITH_OWN_YIELDS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def may_give_a_callable(call: object, arguments: Mapping[str, Any]) -> bool:
    """Whether it is a generator function that yields a name or an attribute, once and in no loop.

    That is the shape of a set-up; what it yields tells it from a stream of one chunk.
    """
    if not isinstance(call, FunctionType) or not call.__code__.co_flags & (_GENERATOR | _ASYNC_GENERATOR):
        return False
    parameters = parameters_of(call)
    if parameters is None or not set(parameters.required) <= set(arguments) <= set(parameters.names):
        return False
    function = _definition(call.__code__)
    if function is None:
        return False
    yields = list(_yields(function, is_repeated=False))
    if len(yields) != 1:
        return False
    node, is_repeated = yields[0]
    return not is_repeated and isinstance(node.value, (ast.Name, ast.Attribute, ast.Lambda, ast.Call))


def _definition(code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    try:
        with open(code.co_filename, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def _yields(node: ast.AST, *, is_repeated: bool) -> Iterator[tuple[ast.Yield, bool]]:
    """The yields of one function, and whether each lies in a loop."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _WITH_OWN_YIELDS):
            continue
        if isinstance(child, ast.YieldFrom):
            yield ast.Yield(child.value), True
        elif isinstance(child, ast.Yield):
            yield child, is_repeated
        yield from _yields(child, is_repeated=is_repeated or isinstance(child, _REPEATING))


def object_of_method(target: str, owner: object, name: str) -> Callable[[], Any] | None:
    """What makes the object that a method named through its class needs; None for what is no such method.

    CaptureError: the class needs something itself.
    """
    if not isinstance(owner, type):
        return None
    raw = next((vars(each)[name] for each in owner.__mro__ if name in vars(each)), None)
    if not isinstance(raw, FunctionType):
        return None
    if callable(getattr(owner, "assertEqual", None)):
        file, _, attributes = target.rpartition(":")
        raise CaptureError(
            f"{target} is a test of unittest",
            hint=f"name it as pytest does: {file}::{attributes.replace('.', '::')}",
        )
    needed = parameters_of(owner)
    if needed is not None and needed.required:
        raise CaptureError(
            f"{target} is a method, and no {owner.__name__} can be made without {', '.join(needed.required)}",
            hint=f"let setup() in its module, or --setup NAME, return a {owner.__name__}",
        )
    return owner
