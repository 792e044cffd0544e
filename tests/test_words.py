"""The glossary and the code say the same: docs/explanation/words.md against the public names."""

from __future__ import annotations

import ast
import re
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path

import pytest

import leakscan
from leakscan.analysis import capsule, compare, gate, one_snapshot, top
from leakscan.analysis.results import findings, memory
from leakscan.capture.directory import reader, run_file

PACKAGE = Path(leakscan.__file__).parent
PAGE = PACKAGE.parent.parent / "docs" / "explanation" / "words.md"
ANSWERS = (capsule, compare, gate, one_snapshot, top, findings, memory, reader, run_file)
"""Modules whose dataclasses users meet, in Python or in JSON."""
NO_IDEAS = {
    "answer",
    "change",
    "comparison",
    "cycle",
    "effect",
    "entry",
    "failure",
    "file",
    "known",
    "gated",
    "mapping",
    "memory",
    "mode",
    "native",
    "path",
    "row",
    "site",
    "step",
    "top",
    "trim",
    "type",
    "what",
}
"""Parts of such names that mean what they mean everywhere."""
RETIRED = ("kinship", "spoken_for", "companions", "ledger_head", "empty_run")
"""Words of before, each replaced by one of the glossary's."""


def glossary() -> list[str]:
    cells = re.findall(r"^\| ([^|]+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [word for cell in cells for word in cell.split(", ") if word not in ("word", "---")]


@cache
def public_names() -> frozenset[str]:
    """Of modules, classes, functions, their parameters and fields."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        found.add(file.stem)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return frozenset(name for name in found if not name.startswith("_"))


def parts_of(name: str) -> list[str]:
    """`CutMember` and `cut_member` as `cut`, `member`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [part.lower() for part in spaced.split("_") if part]


def test_no_word_has_two_meanings():
    assert sorted(glossary()) == sorted(set(glossary()))


@pytest.mark.parametrize("word", glossary())
def test_the_code_uses_every_word_of_the_glossary(word: str):
    stem = word.lower().removesuffix("ing").removesuffix("y").replace(" ", "_")
    assert any(stem in "_".join(parts_of(name)) for name in public_names())


@pytest.mark.parametrize("module", ANSWERS, ids=lambda module: module.__name__)
def test_what_users_meet_is_called_by_words_of_the_glossary(module):
    words = {part for word in glossary() for part in word.lower().split()} | NO_IDEAS
    here = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
    names = [each.__name__ for each in here if is_dataclass(each) and not each.__name__.startswith("_")]
    unknown = [
        name
        for name in names
        if not {form for part in parts_of(name) for form in (part, part.removesuffix("s"))} & words
    ]
    assert names and unknown == []


def test_words_that_were_given_up_do_not_come_back():
    assert [name for name in public_names() if any(word in name.lower() for word in RETIRED)] == []
