from __future__ import annotations

from dataclasses import replace

import pytest

import findings_samples as samples
from leakscan.report.share.markdown import LONGEST, code, escaped, markdown_report
from snapshots import expected


@pytest.mark.parametrize("name", ["two_holders", "inconclusive", "hostile", "clean"])
def test_the_bug_report_reads_as_agreed(name: str):
    text = markdown_report(
        samples.ALL[name],
    )
    assert text == expected(f"report_markdown/{name}.md", text)


def test_a_bug_report_fits_an_issue_tracker_and_counts_what_it_left_out():
    leaks = tuple(
        replace(samples.SPANS, signature=f"{number:08x}", evidence="x" * 5000) for number in range(40)
    )
    text = markdown_report(replace(samples.SEVERAL, leaks=leaks))
    assert (len(text) <= LONGEST, "more leaks" in text) == (True, True)


def test_markup_mentions_and_html_are_shown_as_text():
    assert escaped("<b> *x* @all #1 [a](http://b) `c` | \x1b") == (
        "&lt;b&gt; \\*x\\* \\@all \\#1 \\[a\\]\\(http\\://b\\) \\`c\\` \\| \\\\x1b"
    )


def test_a_code_span_is_fenced_by_more_backticks_than_it_holds():
    assert code("local ``x``") == "``` local ``x`` ```"


def test_a_table_cell_cannot_be_ended_by_a_name():
    assert code("a|b", in_table=True) == "`a\\|b`"
