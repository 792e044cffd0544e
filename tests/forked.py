"""A command in a process of its own that is not started anew: a fork of this one, which has all imported."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Final

from leakscan.cli import main

_CRASHED: Final = 70


class Command:
    """`leakscan ARGUMENTS` in `folder`. Both streams go into the file `said`."""

    def __init__(self, *arguments: str, said: Path, folder: Path | None = None) -> None:
        self._said = said
        self._process = multiprocessing.get_context("fork").Process(
            target=_run, args=(arguments, said, folder or Path.cwd())
        )
        with warnings.catch_warnings():
            # The threads of pytest-xdist wait for messages, and hold nothing that a command needs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        assert self._process.pid is not None
        self.pid: Final = self._process.pid

    def ended(self, *, timeout_seconds: float) -> int | None:
        """Its exit code; None when it goes on."""
        self._process.join(timeout_seconds)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _run(arguments: tuple[str, ...], said: Path, folder: Path) -> None:
    """Never returns: what the tests would do at the end of their process is not this one's to do."""
    code = _CRASHED
    # A collection would copy all pages of what the tests hold.
    gc.freeze()
    os.chdir(folder)
    with open(said, "w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    with open(1, "w", closefd=False) as sys.stdout, open(2, "w", closefd=False) as sys.stderr:
        try:
            code = main(list(arguments))
        except BaseException:
            traceback.print_exc()
    os._exit(code)
