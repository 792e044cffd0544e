"""Which test comes to which line of the package, and so which tests can notice a mutant."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from mutants_made import PACKAGE, ROOT, Mutant


@dataclass
class Reached:
    """What the unchanged tests did. A context is a test, or a file of tests: what it does as it is read."""

    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """contexts by file of the package and line"""
    seconds: dict[str, float] = field(default_factory=dict)
    """of each test that passes"""
    failed: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    """what was imported on the way"""


class Recorder:
    """A plugin of pytest that fills a `Reached` and writes it to a file when all is over.

    `with_lines`: which line each test comes to as well, which takes several times as long.
    """

    def __init__(self, file: Path, *, with_lines: bool) -> None:
        self._file, self._reached, self._test = file, Reached(), ""
        self._with_lines = with_lines
        self._coverage = Coverage(data_file=None, config_file=False, source=[str(PACKAGE)], context="")

    def pytest_configure(self) -> None:
        if self._with_lines:
            self._coverage.start()

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        if isinstance(collector, pytest.Module):
            self._switch_to(str(collector.path))

    def _switch_to(self, context: str) -> None:
        if self._with_lines:
            self._coverage.switch_context(context)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        # A result that an earlier test left in a cache would hide how it comes about.
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == "leakscan":
                for value in vars(module).values():
                    clear = getattr(value, "cache_clear", None)
                    if callable(clear):
                        clear()
        self._test = nodeid
        self._switch_to(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """What other tests of the file are given, too, is of the file."""
        if fixturedef.scope != "function":
            self._switch_to(str(ROOT / self._test.partition("::")[0]))
        try:
            return (yield)
        finally:
            self._switch_to(self._test)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seconds = self._reached.seconds
        if report.failed:
            self._reached.failed.append(report.nodeid)
            seconds.pop(report.nodeid, None)
        elif report.nodeid not in self._reached.failed:
            seconds[report.nodeid] = seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_unconfigure(self) -> None:
        if self._with_lines:
            self._coverage.stop()
            found = self._coverage.get_data()
            for file in found.measured_files():
                self._reached.lines[file] = found.contexts_by_lineno(file)
        self._reached.modules = [name for name in sys.modules if name.partition(".")[0] != "leakscan"]
        self._file.write_text(json.dumps(vars(self._reached)))


def read_reached(file: Path) -> Reached:
    found = Reached(**json.loads(file.read_text()))
    found.lines = {
        name: {int(line): tests for line, tests in rows.items()} for name, rows in found.lines.items()
    }
    return found


def tests_that_can_notice(mutant: Mutant, reached: Reached, tests: list[Path]) -> list[str]:
    """The tests that come to what was changed, the quickest first."""
    contexts: set[str] = set()
    for path, first, last in _places(mutant):
        for line, found in reached.lines.get(str(path), {}).items():
            if first <= line <= last:
                contexts.update(found)
    if mutant.constant:
        contexts.update(str(path) for path in tests if re.search(rf"\b{mutant.constant}\b", _text(path)))
    by_file = {str(path.relative_to(ROOT)): str(path) for path in tests}
    chosen = [
        (seconds, test)
        for test, seconds in reached.seconds.items()
        if test in contexts or by_file.get(test.partition("::")[0]) in contexts
    ]
    return [test for _, test in sorted(chosen)]


def _places(mutant: Mutant) -> Iterator[tuple[Path, int, int]]:
    """(file, first line, last line) of all that depends on what was changed."""
    if not mutant.constant:
        yield mutant.path, *mutant.lines
        return
    waiting, seen = [(mutant.path, mutant.constant)], {(mutant.path, mutant.constant)}
    while waiting:
        home, name = waiting.pop()
        for path in _modules():
            known = _name_in(path, home, name)
            if known is None:
                continue
            if (path, known) not in seen:
                # What a module imports, others may import from it.
                seen.add((path, known))
                waiting.append((path, known))
            for statement in _tree(path).body:
                if not _uses(statement, known, is_home=path == home):
                    continue
                yield from ((path, *lines) for lines in _bodies(statement, known))
                for assigned in _names_assigned(statement):
                    if (path, assigned) not in seen:
                        seen.add((path, assigned))
                        waiting.append((path, assigned))


def _name_in(path: Path, home: Path, name: str) -> str | None:
    """What this module calls the name of another, None when it does not know it."""
    if path == home:
        return name
    module = ".".join(("leakscan", *home.relative_to(PACKAGE).with_suffix("").parts))
    known = _imported(path)
    if (module, name) in known:
        return known[module, name]
    return name if tuple(module.rsplit(".", 1)) in known else None


@cache
def _imported(path: Path) -> dict[tuple[str, ...], str]:
    """What a module calls the names that it imports, by the module of each and its name there."""
    return {
        (node.module or "", alias.name): alias.asname or alias.name
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _uses(statement: ast.stmt, name: str, *, is_home: bool) -> bool:
    loaded, attributes = _used_in(statement)
    return name in loaded or (not is_home and name in attributes)


@cache
def _used_in(statement: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """Names that are read, and names behind a dot."""
    nodes = list(ast.walk(statement))
    return (
        frozenset(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)),
        frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute)),
    )


def _bodies(statement: ast.stmt, name: str) -> Iterator[tuple[int, int]]:
    """Lines that run when a function that uses the name runs; all of a class or of a module that does."""
    if isinstance(statement, ast.FunctionDef):
        yield statement.body[0].lineno, statement.end_lineno or statement.lineno
    elif isinstance(statement, ast.ClassDef):
        for inner in statement.body:
            if isinstance(inner, ast.FunctionDef):
                yield from _bodies(inner, name)


def _names_assigned(statement: ast.stmt) -> Iterator[str]:
    """Names that this statement of a module gives to something."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.ClassDef):
        yield statement.name


@cache
def _modules() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _text(path: Path) -> str:
    return path.read_text()


def import_of_others(names: list[str]) -> None:
    """Imports what is neither the package nor a test, so that each child has it already."""
    for name in names:
        top = name.partition(".")[0]
        if top in sys.builtin_module_names or top in _OURS or name.startswith(("test_", "__main")):
            continue
        with contextlib.suppress(Exception):
            __import__(name)


_OURS = frozenset(
    path.stem
    for path in (
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "fixtures").glob("*"),
        *(ROOT / "tools").glob("*.py"),
    )
) | {"conftest", "tests", "fixtures", os.path.basename(ROOT)}
