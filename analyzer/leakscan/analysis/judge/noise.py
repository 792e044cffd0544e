"""Which row of the table of noise a path falls under."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from leakscan.analysis.judge.noise_rule import NoiseRule
from leakscan.analysis.judge.noise_table import NOISE
from leakscan.analysis.judge.test_runner import TEST_RUNNER, is_for_tests, runs_tests
from leakscan.analysis.results.findings import Path

_OF_FRAMES: Final = NoiseRule(
    reason=TEST_RUNNER,
    library="pytest",
    versions="8-9",
    example="thread 'MainThread' > a frame of _pytest",
    is_bounded=True,
    is_runner=True,
)


def noise_rule(path: Path, is_application: Callable[[str], bool] = lambda name: False) -> NoiseRule | None:
    """The rule that this path falls under, None when it may be the program's own.

    `is_application` says of the name of a type whether it is one of the program's.
    """
    rule = _matching(path)
    if rule is None and runs_tests(path):
        rule = _OF_FRAMES
    if rule is not None and rule.is_runner and is_for_tests(path, is_application):
        return None
    return rule


def _matching(path: Path) -> NoiseRule | None:
    root, is_module = path.root.removeprefix("module "), path.root_kind == "module"
    first = path.steps[0].reference if path.steps else ""
    for rule in NOISE:
        if rule.modules:
            if is_module and _names(rule.modules).fullmatch(root) and re.fullmatch(rule.name or ".*", first):
                return rule
        elif rule.root:
            is_near = len(path.steps) == 1 or not rule.is_direct
            if not is_module and is_near and re.match(rule.root, root):
                return rule
        elif any(re.fullmatch(rule.anywhere, step.reference) for step in path.steps):
            return rule
    return None


@cache
def _names(modules: str) -> re.Pattern[str]:
    words = [re.escape(word).replace(r"\.\*", r"(\..*)?") for word in modules.split()]
    return re.compile("|".join(words))
