"""What a test runner keeps for itself, and what it only holds for the tests: fixtures' values, instances."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from leakscan.analysis.results.findings import Path, Step

TEST_RUNNER: Final = "the test runner"
_PACKAGES: Final = r"_?pytest|pytest_\w+|pluggy|xdist|hypothesis|unittest|coverage"
_TYPE: Final = re.compile(rf"(?!unittest\.mock\.)({_PACKAGES})\..*")
_FILE: Final = re.compile(
    rf"(?!.*[/\\]unittest[/\\]mock\.py$).*[/\\](({_PACKAGES})[/\\][^/\\]*|pytest_\w+\.py$)"
)
"""A mock is the test's or the program's own, wherever its class comes from."""
_LENT: Final = re.compile(r"\.(cached_result|funcargs|_instance|_?obj|params?)")
"""Attributes of the runner's objects whose values come from the tests and their fixtures."""
_SUSPENDED: Final = ("generator", "coroutine", "async_generator")


def runs_tests(path: Path) -> bool:
    """Whether a path that starts at a thread's frame comes to what the runner keeps for itself."""
    return path.root_kind == "thread" and any(map(_is_runners, path.steps))


def is_for_tests(path: Path, is_application: Callable[[str], bool]) -> bool:
    """Whether the runner only hands on what this path ends in: it belongs to a test or to its fixtures.

    So it is when, beyond the last of the runner's own objects, there is the value of a fixture, an instance
    of a test class, a suspended fixture, or an object of a class of the application.
    """
    steps = [step for step in path.steps if not step.is_new]
    last = max((number for number, step in enumerate(steps) if _is_runners(step)), default=-1)
    beyond = steps[last + 1 :]
    if any(is_application(step.type_name) or _is_suspended_elsewhere(step) for step in beyond):
        return True
    return any(_LENT.fullmatch(step.reference) for step in beyond)


def is_file_of_the_runner(file: str) -> bool:
    return bool(_FILE.fullmatch(file))


def _is_runners(step: Step) -> bool:
    if step.type_name in _SUSPENDED or step.type_name == "<frame>":
        return is_file_of_the_runner(step.file)
    return bool(_TYPE.fullmatch(step.type_name))


def _is_suspended_elsewhere(step: Step) -> bool:
    return step.type_name in _SUSPENDED and bool(step.file) and not is_file_of_the_runner(step.file)
