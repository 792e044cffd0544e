"""What binds a name in the source: the statements that may have made what the name refers to.

Files are parsed, never imported or executed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.Module | ast.ClassDef | Function | ast.Lambda
Matches = Callable[[ast.expr], bool]

_CONSTRUCTORS: Final = frozenset(
    ("__init__", "__new__", "__post_init__", "__attrs_post_init__", "__init_subclass__", "__set_name__")
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES: Final = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Binding:
    """One statement that binds the name. `value` is None where it cannot be read off (a loop, an argument).

    `is_home`: where such a slot is made first (the module, the constructor, the class). `is_sure`: whenever
    that code ran, so did this. `is_import`: what it binds was made elsewhere.
    """

    line: int
    value: ast.AST | None
    is_home: bool
    is_sure: bool
    is_import: bool = False


class Tree:
    """The scopes of one file. SyntaxError, ValueError, RecursionError, MemoryError: it cannot be parsed."""

    def __init__(self, text: str) -> None:
        self.module = ast.parse(text)
        self._parents: dict[ast.AST, ast.AST] = {}
        stack: list[ast.AST] = [self.module]
        while stack:
            node = stack.pop()
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
                stack.append(child)

    @cached_property
    def _scopes(self) -> dict[str, list[ast.ClassDef | Function]]:
        """Classes and functions by qualified name, in the order of their lines."""
        found: dict[str, list[ast.ClassDef | Function]] = {}
        nodes = [node for node in self._parents if isinstance(node, ast.ClassDef) or is_function(node)]
        for node in sorted(nodes, key=lambda each: each.lineno):
            found.setdefault(self._qualname(node), []).append(node)
        return found

    def _qualname(self, node: ast.ClassDef | Function) -> str:
        names = [node.name]
        scope = self._around(node)
        while not isinstance(scope, ast.Module):
            if isinstance(scope, ast.ClassDef):
                names.append(scope.name)
            else:
                names += ["<locals>", "<lambda>" if isinstance(scope, ast.Lambda) else scope.name]
            scope = self._around(scope)
        return ".".join(reversed(names))

    def _around(self, node: ast.AST) -> Scope:
        """The scope that the node is written in."""
        node = self._parents[node]
        while not isinstance(node, (ast.Module, *_SCOPES)):
            node = self._parents[node]
        return node

    @cached_property
    def starts(self) -> frozenset[tuple[str, int]]:
        """(qualified name, first line) of each function and class body, as its code object has them."""
        found = {(name, first_line(node)) for name, nodes in self._scopes.items() for node in nodes}
        found |= {(name, node.lineno) for name, nodes in self._scopes.items() for node in nodes}
        return frozenset(found)

    def classes(self, qualname: str) -> list[ast.ClassDef]:
        """All definitions of a class with this name: a program may choose between two."""
        return [node for node in self._scopes.get(qualname, ()) if isinstance(node, ast.ClassDef)]

    def function_at(self, qualname: str, line: int) -> Function | None:
        """The function of this name whose code begins at this line."""
        for node in self._scopes.get(qualname, ()):
            if is_function(node) and first_line(node) == line:
                return node
        return None

    def of_module(self, name: str) -> list[Binding]:
        """What binds a global: statements of the module, and of functions that declare it."""
        found = list(_names_bound(self.module.body, name, is_home=True))
        for nodes in self._scopes.values():
            for node in nodes:
                if is_function(node) and _declares(node, ast.Global, name):
                    found += _names_bound(node.body, name, is_home=False)
        return found

    def of_function(self, function: Scope, name: str) -> list[Binding]:
        """What binds a local of this function, also from functions in it that declare it nonlocal."""
        found = list(_names_bound(_body(function), name, is_home=True))
        for inner in ast.walk(function):
            if is_function(inner) and inner is not function and _declares(inner, ast.Nonlocal, name):
                found += _names_bound(inner.body, name, is_home=False)
        return found

    def of_closure(self, function: Function, name: str) -> list[Binding]:
        """What binds a free variable: in the nearest function around that has it."""
        scope = self._around(function)
        while not isinstance(scope, ast.Module):
            if not isinstance(scope, ast.ClassDef):
                found = self.of_function(scope, name)
                if found or name in _arguments(scope):
                    return found
            scope = self._around(scope)
        return []

    def of_class(self, owner: ast.ClassDef, name: str) -> list[Binding]:
        """What binds a class attribute: its body, its class methods, and `Owner.name = ` in the file."""
        plain = _unmangled(owner.name, name)
        found = list(_names_bound(owner.body, plain, is_home=True))
        for method in _methods(owner):
            if _is_class_method(method):
                found += _attributes_bound(method, _first_argument(method), plain)
        return found + self.of_attribute(owner.name, plain)

    def of_instance(self, owner: ast.ClassDef, name: str) -> list[Binding]:
        """What binds an attribute of instances: `self.name = ` in methods, and annotated fields."""
        plain = _unmangled(owner.name, name)
        found = [
            Binding(statement.lineno, statement.value, is_home=True, is_sure=True)
            for statement in owner.body
            if isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.target.id == plain
            and statement.value is not None
        ]
        for method in _methods(owner):
            if method.name == "__new__":
                found += _attributes_bound(method, None, plain)
            elif not _is_class_method(method) and not _is_decorated(method, "staticmethod"):
                found += _attributes_bound(method, _first_argument(method), plain)
        return found

    def of_attribute(self, owner: str, name: str) -> list[Binding]:
        """`owner.name = ` anywhere in the file, for a class or function that carries attributes."""
        module = list(_bound(self.module.body, _attribute_of(owner, name), is_home=True, is_sure=True))
        for nodes in self._scopes.values():
            for node in nodes:
                module += _bound(node.body, _attribute_of(owner, name), is_home=False, is_sure=False)
        return module

    def default(self, function: Function, position: int | None, name: str) -> list[Binding]:
        """The default of an argument: by its number among the defaults, or by name (keyword only)."""
        arguments = function.args
        if position is not None:
            values: list[ast.expr] = arguments.defaults
            chosen = values[position] if position < len(values) else None
        else:
            by_name = {
                argument.arg: value
                for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            }
            chosen = by_name.get(name)
        return [] if chosen is None else [Binding(chosen.lineno, chosen, is_home=True, is_sure=True)]


def is_function(node: ast.AST) -> TypeGuard[Function]:
    return isinstance(node, _FUNCTIONS)


def first_line(node: Function | ast.ClassDef) -> int:
    """Where its code begins: at the first decorator, as in CPython from 3.8."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def last_name(node: ast.AST | None) -> str:
    """`deque` of `collections.deque(...)`, `list` of `list[int]()`."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def sets_by_text(owner: ast.AST) -> bool:
    """Whether it binds names that are not written: `setattr(self, key, ...)`, `globals()[key]`, `exec`."""
    for node in ast.walk(owner):
        if isinstance(node, ast.Attribute) and node.attr == "__dict__":
            return True
        if not isinstance(node, ast.Call):
            continue
        called = last_name(node.func)
        is_constant = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
        if called in ("globals", "vars", "exec", "locals") or (called == "setattr" and not is_constant):
            return True
    return False


def _body(scope: Scope) -> Sequence[ast.stmt]:
    return () if isinstance(scope, ast.Lambda) else scope.body


def _methods(owner: ast.ClassDef) -> Iterator[Function]:
    for statement, _ in _statements(owner.body, is_sure=True):
        if is_function(statement):
            yield statement


def _is_decorated(function: Function, name: str) -> bool:
    return any(last_name(decorator) == name for decorator in function.decorator_list)


def _is_class_method(function: Function) -> bool:
    return function.name == "__init_subclass__" or _is_decorated(function, "classmethod")


def _first_argument(function: Function) -> str:
    arguments = [*function.args.posonlyargs, *function.args.args]
    return arguments[0].arg if arguments else ""


def _arguments(function: Function | ast.Lambda) -> set[str]:
    args = function.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return {argument.arg for argument in named if argument is not None}


def _unmangled(owner: str, name: str) -> str:
    """`__items` of `_Pool__items` in class Pool."""
    prefix = f"_{owner.lstrip('_')}__"
    return name[len(prefix) - 2 :] if name.startswith(prefix) and not name.endswith("__") else name


def _declares(function: Function, kind: type[ast.Global] | type[ast.Nonlocal], name: str) -> bool:
    return any(
        isinstance(statement, kind) and name in statement.names
        for statement, _ in _statements(function.body, is_sure=True)
    )


def _attribute_of(owner: str | None, name: str) -> Matches:
    def matches(target: ast.expr) -> bool:
        return (
            isinstance(target, ast.Attribute)
            and target.attr == name
            and isinstance(target.value, ast.Name)
            and (owner is None or target.value.id == owner)
        )

    return matches


def _attributes_bound(method: Function, owner: str | None, name: str) -> Iterator[Binding]:
    """`owner.name = ` in a method, and in the functions in it, which may or may not be called."""
    is_home = method.name in _CONSTRUCTORS
    matches = _attribute_of(owner, name)
    yield from _bound(method.body, matches, is_home=is_home, is_sure=True)
    yield from _set_by_name(method, owner, name, is_home=is_home)
    for inner in ast.walk(method):
        if is_function(inner) and inner is not method and owner not in _arguments(inner):
            yield from _bound(inner.body, matches, is_home=False, is_sure=False)


def _set_by_name(method: Function, owner: str | None, name: str, *, is_home: bool) -> Iterator[Binding]:
    """`setattr(self, "name", value)`, `object.__setattr__(self, "name", value)`."""
    for statement, is_sure in _statements(method.body, is_sure=True):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or last_name(call.func) not in ("setattr", "__setattr__"):
            continue
        match call.args:
            case [*_, ast.Name(id=own), ast.Constant(value=key), value] if (
                own == owner or owner is None
            ) and key == name:
                yield Binding(call.lineno, value, is_home, is_sure)


def _names_bound(body: Sequence[ast.stmt], name: str, *, is_home: bool) -> Iterator[Binding]:
    """What binds `name` in one scope, not in the scopes inside it."""

    def matches(target: ast.expr) -> bool:
        return isinstance(target, ast.Name) and target.id == name

    yield from _bound(body, matches, is_home=is_home, is_sure=True)
    for statement, is_sure in _statements(body, is_sure=True):
        match statement:
            case ast.Import() | ast.ImportFrom():
                for alias in statement.names:
                    if (alias.asname or alias.name.partition(".")[0]) == name:
                        yield Binding(statement.lineno, None, is_home, is_sure, is_import=True)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if statement.name == name:
                yield Binding(first_line(statement), statement, is_home, is_sure)
            case ast.ClassDef() if statement.name == name:
                yield Binding(statement.lineno, statement, is_home, is_sure)
            case ast.Try() | ast.TryStar():
                for handler in statement.handlers:
                    if handler.name == name:
                        yield Binding(handler.lineno, None, is_home, is_sure=False)
            case ast.Match():
                for node in ast.walk(statement):
                    is_capture = isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name == name
                    if is_capture and isinstance(node, ast.pattern):
                        yield Binding(node.lineno, None, is_home, is_sure=False)


def _bound(body: Sequence[ast.stmt], matches: Matches, *, is_home: bool, is_sure: bool) -> Iterator[Binding]:
    """Assignments, loops and `with` whose target `matches`."""
    for statement, sure in _statements(body, is_sure=is_sure):
        for target, value in _targets(statement):
            for one, part in _unpacked(target, value):
                if matches(one):
                    yield Binding(one.lineno, part, is_home, sure)
        for expression in _expressions(statement):
            for node in ast.walk(expression):
                if isinstance(node, ast.NamedExpr) and matches(node.target):
                    yield Binding(node.lineno, node.value, is_home, is_sure=False)


def _statements(body: Iterable[ast.stmt], *, is_sure: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Every statement of one scope, and whether it is always reached."""
    stack = [(statement, is_sure) for statement in reversed(list(body))]
    while stack:
        statement, sure = stack.pop()
        yield statement, sure
        parts: list[tuple[Iterable[ast.stmt], bool]]
        match statement:
            case ast.If() | ast.For() | ast.AsyncFor() | ast.While():
                parts = [(statement.body, False), (statement.orelse, False)]
            case ast.With() | ast.AsyncWith():
                parts = [(statement.body, sure)]
            case ast.Try() | ast.TryStar():
                parts = [(statement.body, sure), *((handler.body, False) for handler in statement.handlers)]
                parts += [(statement.orelse, sure), (statement.finalbody, sure)]
            case ast.Match():
                parts = [(case.body, False) for case in statement.cases]
            case _:
                parts = []
        inner = [(each, is_part_sure) for part, is_part_sure in parts for each in part]
        stack += reversed(inner)


def _targets(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    match statement:
        case ast.Assign():
            for target in statement.targets:
                yield target, statement.value
        case ast.AnnAssign() if statement.value is not None:
            yield statement.target, statement.value
        case ast.For() | ast.AsyncFor():
            yield statement.target, None
        case ast.With() | ast.AsyncWith():
            for item in statement.items:
                if item.optional_vars is not None:
                    yield item.optional_vars, None


def _unpacked(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Each single target with the part of the value that it gets, None where that cannot be told."""
    if isinstance(target, ast.Starred):
        yield from _unpacked(target.value, None)
    elif isinstance(target, (ast.Tuple, ast.List)):
        parts: list[ast.expr | None] = [None] * len(target.elts)
        is_plain = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
        if is_plain and isinstance(value, (ast.Tuple, ast.List)):
            has_star = any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
            parts = parts if has_star else list(value.elts)
        for one, part in zip(target.elts, parts, strict=True):
            yield from _unpacked(one, part)
    else:
        yield target, value


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Those of the statement itself, not of the statements in it, nor of other scopes."""
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr) and not isinstance(child, ast.Lambda):
            yield child
        elif isinstance(child, ast.withitem):
            yield child.context_expr
