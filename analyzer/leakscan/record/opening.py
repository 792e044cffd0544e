"""Targets that open something once and give what a run calls: generators with one `yield`, and methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from leakscan.errors import CaptureError
from leakscan.record.parameters import parameters_of

# Any in this file: what the target defines.

_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x200
"""CO_ flags of code objects."""


def may_give_a_callable(call: object, arguments: Mapping[str, Any]) -> bool:
    """Whether it is a generator function that yields a name or an attribute, once and in no loop.

    That is the shape of a set-up; what it yields tells it from a stream of one chunk.
    """
    if not isinstance(call, FunctionType) or not call.__code__.co_flags & (_GENERATOR | _ASYNC_GENERATOR):
        return False
    parameters = parameters_of(call)
    if parameters is None or not set(parameters.required) <= set(arguments) <= set(parameters.names):
        return False
    from leakscan.record.syntax import yields_one_object

    return yields_one_object(call.__code__)


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
