"""What a session of pytest keeps for its end, with the workers of xdist: files, and a line for each leak."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

from leakscan.pytest_plugin.analyst import Analyst
from leakscan.record.left import type_name

# Any in this file: JSON values, and what xdist hands around.

LEAK: Final = "leakscan"
ALLOWED: Final = "leakscan-allowed"
"""Properties of a test: leaks that fail it, and those that the baseline or a budget allows."""
FILES: Final = ("report", "write_baseline")
"""Options that name a file to be written at the end."""
_FOLDER: Final = "leakscan_folder"


class Kept:
    """The folder that the analysts of all workers keep findings in. It is there from the first use on."""

    def __init__(self, config: pytest.Config) -> None:
        given = getattr(config, "workerinput", {}).get(_FOLDER)
        self._is_own = given is None
        self._folder: str | None = given

    @property
    def is_own(self) -> bool:
        """Not that of another process, which ends the session."""
        return self._is_own

    @property
    def is_there(self) -> bool:
        return self._folder is not None

    @property
    def folder(self) -> str:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="leakscan-kept-")
        return self._folder

    def share_with(self, node: Any) -> None:
        node.workerinput[_FOLDER] = self.folder

    def close(self) -> None:
        if self._is_own and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def said_at_end(config: pytest.Config, analyst: Analyst, kept: Kept) -> list[str]:
    """Write the files; sentences about them. CaptureError: what the suite allows is wrong."""
    files = {name: _absolute(config, f"--leakscan-{name.replace('_', '-')}") for name in FILES}
    allows = config.getoption("--leakscan-baseline") or config.getoption("--leakscan-budget")
    if not kept.is_own or not (kept.is_there or allows or any(files.values())):
        return []
    answer = analyst.ask("finish", kept=kept.folder, type_names=_names_of_classes(), **files)
    return list(answer["said"])


def lines_of_leaks(reports: list[Any], name: str) -> list[str]:
    """One line for each leak: its signature, what it is, how many tests show it, the first of them."""
    tests: dict[str, list[str]] = {}
    for report in reports:
        for key, line in getattr(report, "user_properties", ()):
            if key == name and report.nodeid not in tests.setdefault(line, []):
                tests[line].append(report.nodeid)
    return [
        f"{line}  " + (f"in {nodes[0]}" if len(nodes) == 1 else f"in {len(nodes)} tests, first {nodes[0]}")
        for line, nodes in sorted(tests.items())
    ]


def _absolute(config: pytest.Config, option: str) -> str:
    given = config.getoption(option)
    return str(config.invocation_params.dir / Path(given)) if given else ""


def _names_of_classes() -> list[str]:
    """Of all that are loaded in this process, by which a budget may be called."""
    found: set[str] = set()
    waiting: list[type] = [object]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        found.add(type_name(each))
        waiting += type.__subclasses__(each)
    return sorted(found)
