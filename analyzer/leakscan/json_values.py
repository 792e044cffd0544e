"""Frozen dataclasses as JSON values, and the way back, for text that anyone may have written."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, Final, TypeVar

from leakscan.errors import LeakscanError

Result = TypeVar("Result")

LARGEST_NUMBER: Final = 2**63


@dataclass(frozen=True, slots=True)
class Limits:
    """What is believed of a text. `ignores_unknown`: keys of a later version are passed over."""

    longest_text: int = 100_000
    longest_list: int = 100_000
    ignores_unknown: bool = False


STRANGERS: Final = Limits()
OURS: Final = Limits(longest_text=LARGEST_NUMBER, longest_list=LARGEST_NUMBER, ignores_unknown=True)
"""For what leakscan itself wrote beside its snapshots."""


class NotAnAnswer(LeakscanError):
    """The text is not what leakscan would have written; the message says where."""


def as_plain(value: object) -> Any:  # Any: JSON values
    """Dataclasses as dicts, tuples as lists, enumerations as their values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [as_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    return value


def read_as(kind: type[Result], value: object, where: str = "", *, limits: Limits = STRANGERS) -> Result:
    """`value`, as JSON gave it, as a `kind`. NotAnAnswer: a key, a type or a size is not as it must be.

    Nothing in the text chooses what is built: only the annotations of `kind` do.
    """
    result: Result = _Reader(limits).read(kind, value, where or kind.__name__)
    return result


class _Reader:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def read(self, kind: Any, value: Any, where: str) -> Any:  # Any: type expressions and JSON values
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (types.UnionType, typing.Union):
            inner = [each for each in arguments if each is not types.NoneType]
            return None if value is None else self.read(inner[0], value, where)
        if origin is tuple:
            return self._tuple(arguments, value, where)
        if origin is Mapping:
            return self._mapping(arguments[1], value, where)
        if is_dataclass(kind):
            return self._dataclass(kind, value, where)
        if isinstance(kind, type) and issubclass(kind, Enum):
            _expect(isinstance(value, str) and value in [each.value for each in kind], where, kind.__name__)
            return kind(value)
        if kind is float:
            _expect(type(value) in (int, float), where, "a number")
            _expect(abs(value) < LARGEST_NUMBER and isfinite(value), where, "a number of a usual size")
            return float(value)
        if kind is int:
            is_usual = type(value) is int and abs(value) < LARGEST_NUMBER
            _expect(is_usual, where, "a whole number of a usual size")
        elif kind is str:
            is_usual = type(value) is str and len(value) <= self._limits.longest_text
            _expect(is_usual, where, "a text of a usual length")
        else:
            _expect(kind is bool and type(value) is bool, where, "true or false")
        return value

    def _tuple(self, arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
        is_usual = type(value) is list and len(value) <= self._limits.longest_list
        _expect(is_usual, where, "a list of a usual length")
        if arguments[-1] is Ellipsis:
            return tuple(self.read(arguments[0], item, f"{where}[{at}]") for at, item in enumerate(value))
        _expect(len(value) == len(arguments), where, f"a list of {len(arguments)}")
        pairs = zip(arguments, value, strict=True)
        return tuple(self.read(each, item, f"{where}[{at}]") for at, (each, item) in enumerate(pairs))

    def _mapping(self, kind: Any, value: Any, where: str) -> dict[str, Any]:
        is_usual = type(value) is dict and len(value) <= self._limits.longest_list
        _expect(is_usual, where, "an object of a usual size")
        return {name: self.read(kind, item, f"{where}.{name}") for name, item in value.items()}

    def _dataclass(self, kind: Any, value: Any, where: str) -> Any:  # Any: a dataclass, JSON values
        _expect(type(value) is dict, where, "an object")
        hints = _hints(kind)
        unknown = sorted(set(value) - set(hints))
        _expect(not unknown or self._limits.ignores_unknown, where, f"an object without {unknown[:1]}")
        missing = [each.name for each in fields(kind) if each.name not in value and not _has_default(each)]
        _expect(not missing, where, f"an object with {missing[:1]}")
        known = [name for name in value if name in hints]
        return kind(**{name: self.read(hints[name], value[name], f"{where}.{name}") for name in known})


def _has_default(field: Any) -> bool:  # Any: Field of any type
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _hints(kind: Any) -> dict[str, Any]:  # Any: a dataclass; its annotations
    return typing.get_type_hints(kind)


def _expect(condition: bool, where: str, what: str) -> None:
    if not condition:
        raise NotAnAnswer(f"{where} is not {what}", hint="make it again with `leakscan bundle`")
