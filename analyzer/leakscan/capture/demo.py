"""The program that leakscan is tried on: a copy of it in a folder of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import leakscan
from leakscan.errors import CaptureError, UsageError

PROGRAM: Final = "streamlab"


def write_demo(folder: Path) -> Path:
    """Where it is now. One that lies there already stays as it is.

    UsageError: the folder cannot be written. CaptureError: this leakscan was installed without the program.
    """
    target = folder / PROGRAM
    if target.exists():
        if not (target / "workflow.py").exists():
            raise UsageError(f"{target} is something else", hint="leakscan demo FOLDER takes another folder")
        return target
    own = Path(leakscan.__file__).parent
    # In a wheel beside the package's own files; in a checkout it is one of the fixtures.
    for source in (own / "demo" / PROGRAM, own.parents[1] / "fixtures" / PROGRAM):
        if source.is_dir():
            break
    else:
        raise CaptureError("this leakscan was installed without its demo", hint="install it again")
    try:
        target.mkdir(parents=True)
        for file in sorted(source.glob("*.py")):
            shutil.copyfile(file, target / file.name)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}", hint="name another folder") from error
    return target
