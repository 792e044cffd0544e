"""Find the Python that runs the target, and say in one sentence when it cannot be recorded."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from leakscan.errors import UnsupportedInterpreter

OLDEST, NEWEST = (3, 11), (3, 15)
ANSWER_SECONDS = 20
_DRIVER = Path(__file__).parent.parent / "record" / "driver.py"
# Python 2 must be able to parse it, too.
_QUESTION = (
    "import json, platform, sysconfig; print(json.dumps([platform.python_implementation(), "
    "platform.python_version(), not sysconfig.get_config_var('Py_GIL_DISABLED')]))"
)
_HINT = "name a standard CPython 3.11 to 3.15, or a virtual environment of one"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A runtime that can be recorded. `command` is the driver in it; its configuration is to be added."""

    command: tuple[str, ...]
    version: str
    runtime: str = "cpython"


@dataclass(frozen=True, slots=True)
class _Identity:
    """What an interpreter says of itself."""

    implementation: str
    version: str
    has_gil: bool

    @property
    def is_supported(self) -> bool:
        major, minor = self.version.split(".")[:2]
        return self.implementation == "CPython" and OLDEST <= (int(major), int(minor)) <= NEWEST


def find_interpreter(python: str | None) -> Interpreter:
    """The interpreter for `--python`: a path, a name on PATH, or a virtual environment's folder.

    None means the one that runs leakscan. UnsupportedInterpreter: not a CPython 3.11 to 3.15.
    """
    path = sys.executable if python is None else _locate(python)
    found = _own_identity() if python is None else _ask(path)
    who = f"{path} is {found.implementation} {found.version}"
    if not found.is_supported:
        raise UnsupportedInterpreter(
            f"{who}; leakscan records CPython {_text(OLDEST)} to {_text(NEWEST)}", hint=_HINT
        )
    if not found.has_gil:
        raise UnsupportedInterpreter(
            f"{who}, a free-threaded build, which leakscan cannot record", hint=_HINT
        )
    return Interpreter((path, str(_DRIVER)), found.version)


def _own_identity() -> _Identity:
    is_free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    return _Identity(platform.python_implementation(), platform.python_version(), not is_free_threaded)


@cache
def _ask(path: str) -> _Identity:
    try:
        # -S -E: the question must not run the environment's start-up files.
        result = subprocess.run(
            [path, "-S", "-E", "-c", _QUESTION],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        return _Identity(*json.loads(result.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        raise UnsupportedInterpreter(f"{path} does not run as a Python interpreter", hint=_HINT) from error


def _locate(python: str) -> str:
    folder = Path(python)
    if folder.is_dir():
        inside = folder / "bin" / "python"
        if inside.exists():
            return str(inside)
        raise UnsupportedInterpreter(
            f"{python} is a folder without bin/python",
            hint="give a virtual environment's folder or an interpreter",
        )
    found = shutil.which(python)
    if found is None:
        raise UnsupportedInterpreter(
            f"there is no interpreter {python!r}", hint="give a path, a name on PATH or a virtual environment"
        )
    return os.path.abspath(found)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
