"""Where in the source a slot is made.

A snapshot knows where classes and modules begin, not where `self._runs` or a module's `CACHE` is made.
When the source file is at hand the line can be read off it; when it is not, the known line stays.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

from leakscan.analysis.results.findings import Cut, Findings, Holder, Leak

ReadSource = Callable[[str], str | None]
"""File name -> its text, None when it cannot be read."""

_SLOT = re.compile(r"(?:(?P<owner>\w+)\.)?(?P<name>[^\W\d]\w*)(?:\[[^\]]*\])*$")


def with_exact_lines(findings: Findings, read_source: ReadSource) -> Findings:
    """The same findings, each holder and cut pointing at the assignment of its slot."""
    place = _Places(read_source)
    return replace(
        findings,
        leaks=tuple(_leak(leak, place) for leak in findings.leaks),
        others=tuple(_leak(leak, place) for leak in findings.others),
        noise=tuple(_leak(leak, place) for leak in findings.noise),
        cut=_cut(findings.cut, place),
    )


def assignment_line(source: str, label: str, near_line: int) -> int | None:
    """Line of the first assignment to the slot called `label`, None when there is none.

    Of several classes with the owner's name the one that begins last at or before `near_line` counts.
    """
    slot = _SLOT.search(label)
    if slot is None:
        return None
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    owners = [
        node for node in ast.walk(module) if isinstance(node, ast.ClassDef) and node.name == slot["owner"]
    ]
    if owners:
        before = [node for node in owners if node.lineno <= near_line]
        owner = max(before or owners, key=lambda node: node.lineno)
        return min(_attribute_lines(owner, slot["name"]), default=None)
    return min(_name_lines(module.body, slot["name"]), default=None)


class _Places:
    def __init__(self, read_source: ReadSource) -> None:
        self._read = cache(read_source)

    def line(self, file: str, label: str, known_line: int) -> int:
        source = self._read(file) if file else None
        found = assignment_line(source, label, known_line) if source else None
        return known_line if found is None else found


def _leak(leak: Leak, places: _Places) -> Leak:
    return replace(leak, holder=_holder(leak.holder, places), cut=_cut(leak.cut, places))


def _holder(holder: Holder | None, places: _Places) -> Holder | None:
    if holder is None:
        return None
    return replace(holder, line=places.line(holder.file, holder.label, holder.line))


def _cut(cut: Cut | None, places: _Places) -> Cut | None:
    if cut is None:
        return None
    members = (replace(m, line=places.line(m.file, m.pattern, m.line)) for m in cut.members)
    return replace(cut, members=tuple(members))


def _targets(statement: ast.AST) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, ast.AnnAssign):
        return [statement.target]
    return []


def _name_lines(body: list[ast.stmt], name: str) -> Iterator[int]:
    for statement in body:
        for target in _targets(statement):
            if isinstance(target, ast.Name) and target.id == name:
                yield statement.lineno


def _attribute_lines(owner: ast.ClassDef, name: str) -> Iterator[int]:
    yield from _name_lines(owner.body, name)
    for node in ast.walk(owner):
        for target in _targets(node):
            if isinstance(target, ast.Attribute) and target.attr == name:
                yield target.lineno
