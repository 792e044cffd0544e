"""Import the scenario named on the command line: `package.module:callable` or `path/file.py:callable`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from leakscan.errors import CaptureError
from leakscan.record.misnamed import no_scenario, notebook
from leakscan.record.opening import object_of_method
from leakscan.record.parameters import parameters_of


class Target(NamedTuple):
    """What is run again and again, and what is called around all runs.

    `is_context`: `call` is a function of `contextlib.contextmanager` or `asynccontextmanager`, which gives
    the callable.
    """

    name: str
    call: Callable[..., Any]  # Any: whatever one run returns
    setup: Callable[[], Any] | None = None
    teardown: Callable[[], Any] | None = None
    arguments: Mapping[str, Any] = {}  # Any: JSON values
    is_context: bool = False


def load_target(config: Mapping[str, Any]) -> Target:
    """What `target` names, after importing its module, with `setup()` and `teardown()` of that module.

    `setup` names another one, in that module or as a target is written. CaptureError: something is malformed,
    missing or not callable. What a module itself raises while it is imported passes through.
    """
    target, setup = config["target"], config["setup"]
    if "::" in target:
        return _suite_target(target, config)
    module, owner, call = _load(target)
    if config.get("requests"):
        from leakscan.record.web import web_target

        return Target(target, *web_target(target, call, config["requests"]))
    own: dict[str, Callable[[], Any] | None] = {
        name: _own_function(module, name) for name in ("setup", "teardown")
    }
    if setup:
        own["setup"] = _load(setup)[2] if ":" in setup else _callable(_attribute(module, setup, setup), setup)
    if own["setup"] is None:
        _refuse_imported_setup(target, module, call, config["arguments"])
        own["setup"] = object_of_method(target, owner, target.rpartition(":")[2].rpartition(".")[2])
    return Target(
        target, call, own["setup"], own["teardown"], config["arguments"], is_context=_makes_context(call)
    )


def _suite_target(target: str, config: Mapping[str, Any]) -> Target:  # Any: JSON values
    from leakscan.record.suite import Suite

    if config["setup"] or config["arguments"] or config.get("requests"):
        raise CaptureError(
            f"{target} is a test: its fixtures set it up", hint="leave out --setup, --arg and --request"
        )
    _see(os.getcwd())
    suite = Suite(target)
    return Target(target, suite.run, suite.open)


def _own_function(module: ModuleType, name: str) -> Callable[[], Any] | None:
    # An imported `setup` is distutils' or a framework's; one with parameters is the program's own business.
    found = vars(module).get(name)
    if not isinstance(found, FunctionType) or found.__module__ != module.__name__:
        return None
    parameters = parameters_of(found)
    return None if parameters is None or parameters.required else found


def _refuse_imported_setup(
    target: str,
    module: ModuleType,
    call: object,
    arguments: Mapping[str, Any],  # Any: JSON values
) -> None:
    """CaptureError: something is missing that the `setup` would give which the module has from elsewhere."""
    setup, parameters = vars(module).get("setup"), parameters_of(call)
    if not isinstance(setup, FunctionType) or setup.__module__ == module.__name__ or parameters is None:
        return
    if missing := [name for name in parameters.required if name not in arguments]:
        raise CaptureError(
            f"{target} cannot be called without {', '.join(missing)}",
            hint=f"--setup {setup.__module__}:{setup.__qualname__}: a setup() that is imported is left alone",
        )


def _makes_context(call: object) -> bool:
    import contextlib

    return isinstance(call, FunctionType) and call.__code__.co_filename == contextlib.__file__


def _load(target: str) -> tuple[ModuleType, object, Callable[..., Any]]:
    """The module, the module or class that the callable is an attribute of, and the callable."""
    source, colon, attributes = target.rpartition(":")
    if (error := notebook(target)) is not None:
        raise error
    if not colon or not source or not attributes:
        raise no_scenario(target)
    if source.endswith(".py") or os.sep in source:
        module_name, folder = _module_of_path(source)
        _see(os.getcwd(), folder)
        sys.argv[0] = source
    else:
        module_name = source
        _see(os.getcwd())
        sys.argv[0] = source
    module: ModuleType = _import(module_name, source)
    owner: Any = module
    *path, last = attributes.split(".")
    for name in path:
        owner = _attribute(owner, name, target)
    return module, owner, _callable(_attribute(owner, last, target), target)


def _callable(found: Any, target: str) -> Callable[..., Any]:
    if not callable(found):
        raise CaptureError(
            f"{target} is {_an(type(found).__name__)}, not a callable",
            hint="name a function (sync, async or a generator) that does one unit of work",
        )
    return found  # type: ignore[no-any-return]  # an attribute of the target's module


def _see(project: str, folder: str = "") -> None:
    """Put on sys.path, in this order: `folder`, the project, and the `src` in it that packages lie in."""
    source = os.path.join(project, "src")
    has_packages = os.path.isdir(source) and not os.path.exists(os.path.join(source, "__init__.py"))
    for each in (source if has_packages else "", project, folder):
        if each and each not in sys.path[:1]:
            sys.path.insert(0, each)


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


def _import(module_name: str, source: str) -> Any:  # Any: a module
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing != module_name and not module_name.startswith(missing + "."):
            raise
        hint = "run from the project's folder, set PYTHONPATH, or write path/to/file.py:callable"
        if missing.partition(".")[0] == "leakscan":
            hint = "leakscan's own modules cannot be a target"
        raise CaptureError(f"there is no module {missing!r} (target {source!r})", hint=hint) from None


def _attribute(owner: Any, name: str, target: str) -> Any:  # Any: a module or what is inside it
    try:
        return getattr(owner, name)
    except AttributeError:
        import difflib

        close = difflib.get_close_matches(name, dir(owner), n=3)
        public = sorted(n for n in dir(owner) if not n.startswith("_") and callable(getattr(owner, n, None)))
        known = close or public[:8]
        hint = "did you mean " + ", ".join(known) + "?" if known else "it defines no public callable"
        for folder in getattr(owner, "__path__", ()):
            if os.path.isfile(os.path.join(folder, "__main__.py")):
                hint += f"; as a program: -- python -m {owner.__name__}"
        raise CaptureError(
            f"{target}: {getattr(owner, '__name__', owner)!s} has no attribute {name!r}", hint=hint
        ) from None


def _an(noun: str) -> str:
    return ("an " if noun[:1].lower() in "aeiou" else "a ") + noun
