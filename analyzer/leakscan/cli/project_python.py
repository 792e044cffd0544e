"""The interpreter that a command runs a Python target with, and one line on stderr about it."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


def chosen_python(named: str | None, target: str) -> str | None:
    """What to give as `python` to a capture of `target`. UnsupportedInterpreter: it cannot be recorded."""
    from leakscan.capture.environment import own_distributions, project_python, shared_with_program
    from leakscan.capture.interpreter import find_interpreter
    from leakscan.capture.node import is_script

    if is_script(target):
        return named
    chosen = project_python(named, target=target, folder=Path.cwd(), environment=os.environ)
    if chosen.python is not None:
        found = find_interpreter(chosen.python)
        line = f"in {chosen.python}, CPython {found.version} ({chosen.how})"
    else:
        line = f"in leakscan's own environment, CPython {platform.python_version()} ({chosen.how})"
        shared = shared_with_program(own_distributions())
        if shared:
            line += f"; shared with the program: {', '.join(shared)}"
    print(line, file=sys.stderr, flush=True)
    return chosen.python
