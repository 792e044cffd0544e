"""What a target must be called with, read off its code: `inspect` stays out of the observed process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any, Final, NamedTuple

from leakscan.errors import CaptureError

_ASGI: Final = ("scope", "receive", "send")
_WSGI: Final = ("environ", "start_response")


class Parameters(NamedTuple):
    """`required` and `names` in order, positional ones first; `is_open` when it takes any keyword."""

    required: tuple[str, ...]
    names: tuple[str, ...]
    is_open: bool


def checked_call(
    name: str,
    call: Callable[..., Any],
    given: object,
    arguments: Mapping[str, Any],  # Any: JSON values
) -> Callable[[], Any]:
    """`call` with what the set-up gave, if it asks for something, and with `arguments`.

    CaptureError, before anything runs: something is still missing, or it has no such parameter.
    """
    parameters = parameters_of(call)
    if parameters is None:
        return functools.partial(call, **arguments) if arguments else call
    if not parameters.is_open:
        for argument in arguments:
            if argument not in parameters.names:
                known = ", ".join(parameters.names) or "no parameters"
                raise CaptureError(f"{name} has no parameter {argument!r}", hint=f"it has {known}")
    missing = [each for each in parameters.required if each not in arguments]
    positional = [given] if given is not None and missing else []
    missing = missing[len(positional) :]
    if missing:
        raise _what_is_missing(name, tuple(missing))
    return functools.partial(call, *positional, **arguments) if positional or arguments else call


def parameters_of(call: object) -> Parameters | None:
    """Those of a Python function, method, class or object with `__call__`; None for what is made in C."""
    function: object = call
    bound = 0
    if isinstance(call, MethodType):
        function, bound = call.__func__, 1
    elif not isinstance(call, FunctionType):
        # A class calls its metaclass, which is made in C; what it needs is its __init__'s.
        owner, method = (call, "__init__") if isinstance(call, type) else (type(call), "__call__")
        function, bound = getattr(owner, method), 1
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    end = code.co_argcount + code.co_kwonlyargcount
    positional = code.co_varnames[bound : code.co_argcount]
    keyword = code.co_varnames[code.co_argcount : end]
    required = positional[: max(len(positional) - len(function.__defaults__ or ()), 0)]
    required += tuple(each for each in keyword if each not in (function.__kwdefaults__ or {}))
    return Parameters(required, positional + keyword, is_open=bool(code.co_flags & 0x08))


def _what_is_missing(name: str, missing: tuple[str, ...]) -> CaptureError:
    if missing == _ASGI:
        return CaptureError(
            f"{name} is an ASGI application, not a scenario",
            hint="say what a run sends it: --request 'GET /path'; or name a function that sends a request",
        )
    if missing == _WSGI:
        return CaptureError(
            f"{name} is a WSGI application, not a scenario",
            hint="say what a run sends it: --request 'GET /path'; or name a function that sends a request",
        )
    source, _, attributes = name.rpartition(":")
    if attributes.rpartition(".")[2].startswith("test_"):
        return CaptureError(
            f"{name} is a test that takes fixtures: {', '.join(missing)}",
            hint=f"name it as pytest does: {source}::{attributes.replace('.', '::')}",
        )
    if missing[0] == "self":
        return CaptureError(f"{name} is a method, and no object was given", hint="let setup() return one")
    return CaptureError(
        f"{name} cannot be called without {', '.join(missing)}",
        hint=f"give it: --arg {missing[0]}=VALUE; or let --setup yield it; "
        "or name a function without parameters that calls it",
    )
