"""Import the scenario named on the command line: `package.module:callable` or `path/file.py:callable`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from leakscan.errors import CaptureError


def load_scenario(target: str) -> Callable[[], Any]:  # Any: whatever one run returns
    """The callable that TARGET names, after importing its module.

    CaptureError: the target is malformed, missing or not callable. What the module itself raises while
    it is imported passes through.
    """
    place, colon, attributes = target.rpartition(":")
    if not colon or not place or not attributes:
        raise CaptureError(
            f"{target!r} does not name a scenario",
            hint="write package.module:callable or path/to/file.py:callable",
        )
    if place.endswith(".py") or os.sep in place:
        module_name, folder = _module_of_path(place)
        sys.path.insert(0, os.getcwd())
        sys.path.insert(0, folder)
        sys.argv[0] = place
    else:
        module_name = place
        sys.path.insert(0, os.getcwd())
        sys.argv[0] = place
    found: Any = _import(module_name, place)
    for name in attributes.split("."):
        found = _attribute(found, name, target)
    if not callable(found):
        raise CaptureError(
            f"{target} is {_an(type(found).__name__)}, not a callable",
            hint="name a function (sync, async or a generator) that does one unit of work",
        )
    return found  # type: ignore[no-any-return]  # an attribute of the target's module


def _module_of_path(path: str) -> tuple[str, str]:
    """Dotted name of the module in that file, and the folder to put on sys.path.

    A file inside packages gets its full dotted name, so that its relative imports work.
    """
    absolute = os.path.abspath(path)
    if os.path.isdir(absolute) and os.path.exists(os.path.join(absolute, "__init__.py")):
        folder, name = os.path.split(absolute)
    elif os.path.isfile(absolute):
        folder, file = os.path.split(absolute)
        name = os.path.splitext(file)[0]
        if name == "__init__":
            folder, name = os.path.split(folder)
    else:
        raise CaptureError(f"{path}: no such file", hint="give a path relative to the current folder")
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        name = f"{package}.{name}"
    return name, folder


def _import(module_name: str, place: str) -> Any:  # Any: a module
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing != module_name and not module_name.startswith(missing + "."):
            raise
        hint = "run from the project's folder, set PYTHONPATH, or write path/to/file.py:callable"
        if missing.partition(".")[0] == "leakscan":
            hint = "leakscan's own modules cannot be a target"
        raise CaptureError(f"there is no module {missing!r} (target {place!r})", hint=hint) from None


def _attribute(owner: Any, name: str, target: str) -> Any:  # Any: a module or what is inside it
    try:
        return getattr(owner, name)
    except AttributeError:
        import difflib

        close = difflib.get_close_matches(name, dir(owner), n=3)
        public = sorted(n for n in dir(owner) if not n.startswith("_") and callable(getattr(owner, n, None)))
        known = close or public[:8]
        raise CaptureError(
            f"{target}: {getattr(owner, '__name__', owner)!s} has no attribute {name!r}",
            hint="did you mean " + ", ".join(known) + "?" if known else "it defines no public callable",
        ) from None


def _an(noun: str) -> str:
    return ("an " if noun[:1].lower() in "aeiou" else "a ") + noun
