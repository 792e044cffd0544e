"""What somebody meant who named a target that is no scenario: a file, a package, a notebook, a method."""

from __future__ import annotations

import os
import sys
from typing import Final

from leakscan.errors import CaptureError

_NOTEBOOK: Final = ".ipynb"
_MOST_NAMED: Final = 4


def no_scenario(target: str) -> CaptureError:
    """The error for a target that is not `module:callable`, with what to write instead."""
    return CaptureError(f"{target!r} does not name a scenario", hint=_instead(target))


def notebook(target: str) -> CaptureError | None:
    """The error for a notebook, None for anything else."""
    file = target[: target.find(_NOTEBOOK) + len(_NOTEBOOK)]
    if not file.endswith(_NOTEBOOK):
        return None
    return CaptureError(
        f"{file} is a notebook, and no module that can be imported",
        hint=f"jupyter nbconvert --to script {file} writes one, whose functions can be named; "
        "of a notebook that runs: leakscan attach, with the PID of its kernel",
    )


def _instead(target: str) -> str:
    written = target.rstrip("/:")
    file = _file_of(written)
    if not file and os.path.isfile(os.path.join(os.path.dirname(sys.executable), written)):
        return f"with --on-call or --every 30s it runs as a command: -- {written}"
    if not file:
        return "write package.module:callable or path/to/file.py:callable"
    from leakscan.record.syntax import functions_of

    functions = list(functions_of(file))
    name = os.path.basename(file)
    if name.startswith("test_") or name.endswith("_test.py"):
        tests = [f"{file}::{each}" for each in functions if each.startswith("test_")]
        return f"name a test of it: {', '.join(tests[:_MOST_NAMED]) or f'{file}::test_name'}"
    module, program = written, file
    if name == "__main__.py" and not os.path.isfile(written):
        dotted = written.replace(os.sep, ".")
        module, program = f"{dotted}.__main__", f"-m {dotted}"
    named = ", ".join(f"{module}:{each}" for each in functions[:_MOST_NAMED])
    as_program = f"with --on-call, --every 30s or marks of its own it runs as a program: -- python {program}"
    return f"name a function of it: {named}; {as_program}" if named else as_program


def _file_of(written: str) -> str:
    """The file that a path or a dotted name means; "" when there is none."""
    if os.path.isfile(written):
        return written
    inner = written.replace(".", os.sep)
    folders = [written, inner, os.path.join("src", inner)]
    found = [f"{folder}.py" for folder in folders]
    found += [os.path.join(folder, name) for folder in folders for name in ("__main__.py", "__init__.py")]
    return next((each for each in found if os.path.isfile(each)), "")
