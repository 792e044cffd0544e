"""Whether an expression makes an object of a type, as far as its text tells."""

from __future__ import annotations

import ast
from typing import Final

from leakscan.analysis.lines.bindings import is_function, last_name

_FIELDS: Final = frozenset(("field", "Field", "attrib", "ib", "Factory", "PrivateAttr"))
_FACTORIES: Final = ("default_factory", "factory", "default")
_DISPLAYS: Final[dict[type[ast.AST], str]] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Tuple: "tuple",
    ast.JoinedStr: "str",
    ast.Lambda: "function",
    ast.GeneratorExp: "generator",
    ast.ClassDef: "type",
}
_CONSTRUCTORS: Final = frozenset(
    (
        *("list", "dict", "set", "frozenset", "tuple", "bytearray", "bytes", "str", "int", "float", "object"),
        *("deque", "defaultdict", "OrderedDict", "Counter", "ChainMap", "SimpleNamespace"),
        *("WeakValueDictionary", "WeakKeyDictionary", "WeakSet"),
        *("Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"),
    )
)
"""Names that mean what they say; any other may be that of a function, or of a class that makes another."""


def makes(value: ast.AST | None, type_name: str) -> bool | None:
    """True: it does; False: it makes something else; None: its text does not tell."""
    last = type_name.rpartition(".")[2]
    if value is None or not last:
        return None
    if (made := _DISPLAYS.get(type(value))) is not None:
        return made == last
    match value:
        case ast.Constant():
            return type(value.value).__name__ == last
        case ast.NamedExpr():
            return makes(value.value, type_name)
        case ast.BoolOp():
            return _any_of([makes(part, type_name) for part in value.values])
        case ast.IfExp():
            return _any_of([makes(value.body, type_name), makes(value.orelse, type_name)])
        case ast.BinOp():
            return True if makes(value.left, type_name) else None
        case ast.Call():
            return _call(value, last)
    if is_function(value):
        return None if value.decorator_list else last == "function"
    return None


def _any_of(parts: list[bool | None]) -> bool | None:
    if True in parts:
        return True
    return None if None in parts else False


def _call(call: ast.Call, last: str) -> bool | None:
    called = last_name(call.func)
    if called in _FIELDS:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        factory = next((given[name] for name in _FACTORIES if name in given), None)
        if factory is None and called == "Factory" and call.args:
            factory = call.args[0]
        if isinstance(factory, ast.Lambda):
            return makes(factory.body, last)
        if isinstance(factory, ast.Call):
            return _call(factory, last)
        return None if factory is None else _named(last_name(factory), last)
    if called == "cast" and len(call.args) == 2:
        return makes(call.args[1], last)
    if called == "sorted":
        return last == "list"
    if last == "_lru_cache_wrapper":
        # `lru_cache(maxsize=9)(function)`
        return True if called in ("lru_cache", "cache") else None
    return _named(called, last)


def _named(called: str, last: str) -> bool | None:
    if called == last:
        return True
    return False if called in _CONSTRUCTORS else None
