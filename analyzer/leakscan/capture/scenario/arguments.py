"""Arguments of a scenario as they are written on a command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from leakscan.errors import UsageError


def parse_arguments(texts: Sequence[str]) -> dict[str, Any]:  # Any: JSON values
    """`n=3` is a number, `is_fast=true` a truth value, `names=["a"]` a list; anything else is text."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--arg {text!r} is not NAME=VALUE", hint="--arg n=3")
        if name in found:
            raise UsageError(f"--arg {name} is given twice", hint="once for each parameter")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
