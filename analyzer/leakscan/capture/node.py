"""Find the Node that runs a JavaScript scenario, and tell such a scenario from one in Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from leakscan.capture.interpreter import ANSWER_SECONDS, Interpreter
from leakscan.errors import UnsupportedInterpreter, UsageError

OLDEST: Final = 18
_SCRIPT: Final = re.compile(r"\.([cm]?[jt]sx?)(:[^:/\\]*)?$")
_RUNS: Final = ("js", "mjs", "cjs")
_DRIVER: Final = Path(__file__).parent.parent / "record" / "node" / "driver.mjs"
_INSTALL: Final = "install Node 18 or newer, or name one with --node PATH"


def is_script(target: str) -> bool:
    """Whether the target is a JavaScript file. UsageError: TypeScript, which must be compiled first."""
    match = _SCRIPT.search(target)
    if match is None:
        return False
    if match[1] not in _RUNS:
        if not Path(target.removesuffix(match[2] or "")).is_file():
            return False  # `app.ts:run`, a module of Python
        raise UsageError(
            f"{target}: leakscan runs JavaScript, not .{match[1]} files",
            hint="compile it first (tsc, esbuild --format=esm), and name the .mjs or .js file",
        )
    return True


def find_node(node: str | None) -> Interpreter:
    """The Node for `--node`: a path or a name on PATH (None: `node`). UnsupportedInterpreter: none."""
    path = shutil.which(node or "node")
    if path is None:
        raise UnsupportedInterpreter(f"there is no {node or 'node'!r} to run JavaScript with", hint=_INSTALL)
    path = os.path.abspath(path)
    version = _version(path)
    if int(version.split(".")[0]) < OLDEST:
        raise UnsupportedInterpreter(
            f"{path} is Node {version}; leakscan records {OLDEST} and newer", hint=_INSTALL
        )
    # Without the warning of its own that Node prints about some of what a driver must use.
    return Interpreter((path, str(_DRIVER)), version, runtime="node")


def _version(path: str) -> str:
    try:
        result = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            stdin=subprocess.DEVNULL,
            check=True,
            # Flags meant for the scenario (a loader, an inspector) are not for this question.
            env={name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UnsupportedInterpreter(f"{path} does not run as Node", hint=_INSTALL) from error
    match = re.fullmatch(r"v(\d+\.\d+\.\d+\S*)\s*", result.stdout)
    if match is None:
        raise UnsupportedInterpreter(f"{path} does not run as Node", hint=_INSTALL)
    return match[1]
