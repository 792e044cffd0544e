"""`leakscan.diff`: the answer to a capture, as an object that shows itself."""

from __future__ import annotations

from pathlib import Path

from leakscan.answers.analyse import analysed_one
from leakscan.report.html.notebook import Shown


def diff(*paths: str | Path, type_name: str | None = None) -> Shown:
    """What leaks in a capture, between snapshots, or in a capsule: `leakscan.diff("leak/").findings`.

    Raises UsageError when a capture of several modes is given: name the folder of one of them.
    """
    return Shown(analysed_one([Path(path) for path in paths], type_name=type_name))
