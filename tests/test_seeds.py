"""What the tool behind `make seeds` concludes from its rows, on rows that are drawn here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import seeds_text
from seeds_fixes import maximal, minimal
from seeds_text import Claim, Page, false_of, listed


def sets(*names: str) -> list[frozenset[str]]:
    return [frozenset(each) for each in names]


def test_a_set_with_another_one_inside_is_not_minimal():
    assert minimal(sets("ab", "a", "bc", "abc", "c")) == sets("a", "c")


def test_a_set_inside_another_one_is_not_maximal():
    assert maximal(sets("", "a", "ab", "c")) == sets("ab", "c")


def test_the_empty_set_is_the_only_minimal_one_where_it_is():
    assert minimal(sets("a", "", "b")) == sets("")


def test_sentences_that_do_not_hold_are_named():
    assert false_of([Claim("the earth is flat", False), Claim("it turns", True)]) == ["the earth is flat"]


def test_lists_read_as_prose():
    assert [listed("a"), listed("ab"), listed("abc")] == ["`a`", "`a` and `b`", "`a`, `b` and `c`"]


def test_only_the_generated_part_of_a_page_is_written_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(seeds_text, "DOCS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{seeds_text.START}old\n{seeds_text.END}after\n")
    Page("page.md", "new\n", []).write()
    assert page.read_text() == f"before\n{seeds_text.START}\nnew\n\n{seeds_text.END}after\n"
