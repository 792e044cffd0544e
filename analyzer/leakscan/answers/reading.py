"""The way back from JSON to the frozen dataclasses of the analysis, for text that anyone may have written."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, Final, TypeVar

from leakscan.errors import LeakscanError

Result = TypeVar("Result")

LARGEST_NUMBER: Final = 2**63
LONGEST_TEXT: Final = 100_000
LONGEST_LIST: Final = 100_000


class NotAnAnswer(LeakscanError):
    """The text is not what leakscan would have written; the message says where."""


def read_as(kind: type[Result], value: object, place: str = "") -> Result:
    """`value`, as JSON gave it, as a `kind`. NotAnAnswer: a key, a type or a size is not as it must be.

    Nothing in the text chooses what is built: only the annotations of `kind` do.
    """
    result: Result = _read(kind, value, place or kind.__name__)
    return result


def _read(kind: Any, value: Any, place: str) -> Any:  # Any: type expressions and JSON values
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        inner = [each for each in arguments if each is not types.NoneType]
        return None if value is None else _read(inner[0], value, place)
    if origin is tuple:
        return _tuple(arguments, value, place)
    if is_dataclass(kind):
        return _dataclass(kind, value, place)
    if isinstance(kind, type) and issubclass(kind, Enum):
        _expect(isinstance(value, str) and value in [each.value for each in kind], place, kind.__name__)
        return kind(value)
    if kind is float:
        _expect(type(value) in (int, float), place, "a number")
        _expect(abs(value) < LARGEST_NUMBER and isfinite(value), place, "a number of a usual size")
        return float(value)
    if kind is int:
        _expect(type(value) is int and abs(value) < LARGEST_NUMBER, place, "a whole number of a usual size")
    elif kind is str:
        _expect(type(value) is str and len(value) <= LONGEST_TEXT, place, "a text of a usual length")
    else:
        _expect(kind is bool and type(value) is bool, place, "true or false")
    return value


def _tuple(arguments: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    _expect(type(value) is list and len(value) <= LONGEST_LIST, place, "a list of a usual length")
    if arguments[-1] is Ellipsis:
        return tuple(_read(arguments[0], item, f"{place}[{at}]") for at, item in enumerate(value))
    _expect(len(value) == len(arguments), place, f"a list of {len(arguments)}")
    pairs = zip(arguments, value, strict=True)
    return tuple(_read(each, item, f"{place}[{at}]") for at, (each, item) in enumerate(pairs))


def _dataclass(kind: Any, value: Any, place: str) -> Any:  # Any: a dataclass, JSON values
    _expect(type(value) is dict, place, "an object")
    hints = _hints(kind)
    unknown = sorted(set(value) - set(hints))
    _expect(not unknown, place, f"an object without {unknown[:1]}")
    missing = [each.name for each in fields(kind) if each.name not in value and not _has_default(each)]
    _expect(not missing, place, f"an object with {missing[:1]}")
    return kind(**{name: _read(hints[name], item, f"{place}.{name}") for name, item in value.items()})


def _has_default(field: Any) -> bool:  # Any: Field of any type
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _hints(kind: Any) -> dict[str, Any]:  # Any: a dataclass; its annotations
    return typing.get_type_hints(kind)


def _expect(condition: bool, place: str, what: str) -> None:
    if not condition:
        raise NotAnAnswer(f"{place} is not {what}", hint="make it again with `leakscan bundle`")
