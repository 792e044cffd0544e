"""First in every Python process of a captured program: make `leakscan` importable, and watch what was asked.

Costs a process that is not captured next to nothing. leakscan comes from the paths that the variable names,
not from sys.path. Another `sitecustomize` is imported as it would have been.
"""

from __future__ import annotations

import json
import os
import sys

if False:  # typing is not imported into the program
    from typing import Any

VARIABLE = "_LEAKSCAN_PROGRAM"


class _OfCapture:
    """A finder for `leakscan` of the version that captures, whatever is installed here."""

    def __init__(self, package_dir: str, native_path: str) -> None:
        self._package_dir = package_dir
        self._native_path = native_path

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # Any: the import system's
        import _frozen_importlib_external as external

        if name == "leakscan":
            return external.spec_from_file_location(
                name,
                os.path.join(self._package_dir, "__init__.py"),
                submodule_search_locations=[self._package_dir],
            )
        if name == "leakscan._native" and self._native_path:
            loader = external.ExtensionFileLoader(name, self._native_path)
            return external.spec_from_file_location(name, self._native_path, loader=loader)
        return None


def _begin() -> None:
    text = os.environ.get(VARIABLE)
    if not text:
        return
    if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        raise RuntimeError(
            f"{sys.implementation.name} {sys.version.split()[0]} is none of CPython 3.11 to 3.15"
        )
    # The native module lies there for builds with the lock, and would be loaded by its path.
    if "t" in getattr(sys, "abiflags", ""):
        raise RuntimeError("free-threaded builds of CPython cannot be recorded yet")
    config = json.loads(text)
    sys.meta_path.insert(0, _OfCapture(config["package_dir"], config["native_path"]))
    if config["on_call"] or config["is_driven"]:
        from leakscan.record.program.start import start

        start(config)


def _import_the_programs_own() -> None:
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != own]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401  # whose it is now
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        # The import system looks for it under this name.
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


try:
    _begin()
except Exception as error:
    print(f"leakscan: process {os.getpid()} is not looked at: {error}", file=sys.stderr)
_import_the_programs_own()
