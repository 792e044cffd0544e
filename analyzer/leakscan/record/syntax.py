"""What the source of a target says of it. Loaded when somebody asks: most programs do without `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType
from typing import Final

_REPEATING: Final = (ast.For, ast.AsyncFor, ast.While)
_WITH_OWN_YIELDS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def functions_of(file: str) -> Iterator[str]:
    """Public functions at the top of a module, in order; none of what is not Python."""
    for node in _parsed(file).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield node.name


def yields_one_object(code: CodeType) -> bool:
    """Whether this function yields a name, an attribute or what a call gives, once and in no loop."""
    function = _definition(code)
    yields = [] if function is None else list(_yields(function, is_repeated=False))
    if len(yields) != 1:
        return False
    node, is_repeated = yields[0]
    return not is_repeated and isinstance(node.value, (ast.Name, ast.Attribute, ast.Lambda, ast.Call))


def _parsed(file: str) -> ast.Module:
    """An empty module for what cannot be read, or is not Python."""
    try:
        with open(file, "rb") as source:
            return ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def _definition(code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    for node in ast.walk(_parsed(code.co_filename)):
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
