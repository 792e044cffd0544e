"""A holder points at the line that makes its slot, when the source is at hand."""

from __future__ import annotations

import pytest

from leakscan.analysis.dialects.sourcelines import assignment_line

SOURCE = """\
import x

CACHE: dict = {}
def build():
    CACHE = 1


class Other:
    def __init__(self):
        self._runs = 0


class Workflow:
    limit = 3

    def __init__(self):
        self.name = "w"
        self._runs = {}

    def clear(self):
        self._runs = {}
"""


@pytest.mark.parametrize(
    ("label", "near_line", "line"),
    [
        ("Workflow._runs", 13, 18),
        ("Workflow._runs[*]", 13, 18),
        ("Other._runs['a'][*]", 8, 10),
        ("Workflow.limit", 13, 14),
        ("module.CACHE", 1, 3),
        ("module.CACHE[*]", 1, 3),
        ("Workflow.absent", 13, None),
        ("held from C", 1, None),
    ],
)
def test_the_line_is_that_of_the_first_assignment(label, near_line, line):
    assert assignment_line(SOURCE, label, near_line) == line


def test_of_two_classes_with_one_name_the_nearer_one_counts():
    source = "class A:\n    x = 1\nclass A:\n    x = 2\n"
    assert [assignment_line(source, "A.x", near) for near in (1, 3)] == [2, 4]


def test_source_that_does_not_parse_says_nothing():
    assert assignment_line("def (", "A.x", 1) is None
