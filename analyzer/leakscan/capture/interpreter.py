"""Find the Python that runs the target, and say in one sentence when it cannot be recorded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from leakscan.errors import UnsupportedInterpreter

OLDEST, NEWEST = (3, 11), (3, 15)
PROBE_SECONDS = 20
# Python 2 must be able to parse it, too.
_PROBE = (
    "import sys, json, platform; print(json.dumps([platform.python_implementation(), "
    "list(sys.version_info[:2]), platform.python_version(), "
    "bool(getattr(sys, '_is_gil_enabled', lambda: True)()) and "
    "not __import__('sysconfig').get_config_var('Py_GIL_DISABLED')]))"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter that can be recorded. `path` is what to execute."""

    path: str
    version: str


def find_interpreter(python: str | None) -> Interpreter:
    """The interpreter for `--python`: a path, a name on PATH, or a virtual environment's folder.

    None means the one that runs leakscan. UnsupportedInterpreter: not a CPython 3.11 to 3.15.
    """
    path = sys.executable if python is None else _locate(python)
    hint = f"name a standard CPython {_text(OLDEST)} to {_text(NEWEST)}, or a virtual environment of one"
    try:
        # -S -E: the probe must not run the environment's start-up files.
        result = subprocess.run(
            [path, "-S", "-E", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        implementation, version_pair, version, has_gil = json.loads(result.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UnsupportedInterpreter(f"{path} does not run as a Python interpreter", hint=hint) from error
    if implementation != "CPython" or not OLDEST <= tuple(version_pair) <= NEWEST:
        raise UnsupportedInterpreter(
            f"{path} is {implementation} {version}; leakscan records CPython "
            f"{_text(OLDEST)} to {_text(NEWEST)}",
            hint=hint,
        )
    if not has_gil:
        raise UnsupportedInterpreter(
            f"{path} is a free-threaded build of CPython {version}, which leakscan cannot record",
            hint=hint,
        )
    return Interpreter(path, version)


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
