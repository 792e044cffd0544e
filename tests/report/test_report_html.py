from __future__ import annotations

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

import findings_samples as samples
from leakscan.errors import UsageError
from leakscan.report.html.charts import Series, births_bars, line_chart
from leakscan.report.html.page import Switches, html_report
from leakscan.report.html.source_links import checked_template, source_link

SWITCHES = Switches(
    ("Workflow._runs[*]", "Emitter.handlers['chunk'][*]"),
    20,
    ((0, 0, 0), (0, 0, 0), (0, 0, 0), (20, 1_122, 41_200_000)),
)
VOID = {"meta", "wbr", "input", "link", "br", "img", "line", "rect", "polyline"}


class Document(HTMLParser):
    """Every element with its attributes, the text outside style and script, and whether tags match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.mismatched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("name", samples.ALL)
def test_every_element_is_closed(name: str):
    document = Document(html_report(samples.ALL[name], switches=SWITCHES))
    assert (document.open, document.mismatched) == ([], [])


@pytest.mark.parametrize("name", samples.ALL)
def test_nothing_is_loaded_from_anywhere(name: str):
    document = Document(html_report(samples.ALL[name], switches=SWITCHES))
    references = {
        value
        for _, attributes in document.elements
        for key, value in attributes.items()
        if key in ("src", "href", "action", "srcset", "xlink:href", "data")
    }
    assert all(value is not None and value.startswith("#") for value in references)


@pytest.mark.parametrize("name", samples.ALL)
def test_no_attribute_holds_style_or_script(name: str):
    document = Document(html_report(samples.ALL[name], switches=SWITCHES))
    assert [
        k for _, attributes in document.elements for k in attributes if k == "style" or k[:2] == "on"
    ] == []


def test_the_policy_allows_only_the_one_style_and_the_one_script():
    report = html_report(samples.TWO_HOLDERS, switches=SWITCHES)
    policy = next(
        str(attributes["content"])
        for attributes in Document(report).of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    blocks = [
        re.search(r"<style>(.*?)</style>", report, re.S),
        re.search(r"<script>(.*?)</script>", report, re.S),
    ]
    hashes = [
        base64.b64encode(hashlib.sha256(block.group(1).encode()).digest()).decode()
        for block in blocks
        if block
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_markup_in_names_adds_no_element():
    hostile = Document(html_report(samples.HOSTILE_NAMES))
    assert len(hostile.of("script")) == 1


def test_names_are_shown_as_they_are_with_their_controls_spelled_out():
    text = "".join(Document(html_report(samples.HOSTILE_NAMES)).text)
    assert ("<script>\\x1b[31mred\\u202e" in text, "\x1b" in text, "\u202e" in text) == (True, False, False)


def test_a_switch_pattern_cannot_end_the_script():
    switches = Switches(("</script><b>",), 1, ((0, 0, 0), (1, 1, 1)))
    assert len(Document(html_report(samples.TWO_HOLDERS, switches=switches)).of("b")) == 0


def test_the_headings_have_one_first_level_and_skip_none():
    levels = [
        int(tag[1]) for tag, _ in Document(html_report(samples.SEVERAL)).elements if re.match("h[1-6]$", tag)
    ]
    jumps = [b - a for a, b in itertools.pairwise(levels) if b - a > 1]
    assert (levels.count(1), jumps) == (1, [])


def test_each_chart_has_a_name_for_who_cannot_see_it():
    assert [svg.get("aria-label") for svg in Document(html_report(samples.CLEAN)).of("svg")] == [
        "Memory after each run",
        "Objects more than at the baseline",
    ]


def test_the_same_findings_give_the_same_page():
    assert html_report(samples.SEVERAL) == html_report(samples.SEVERAL)


def test_a_chart_needs_two_runs():
    assert line_chart("t", [0], [Series("a", [1.0], 0)], unit=str) == ""


def test_a_flat_line_at_zero_is_drawn():
    assert 'points="62,180 396,180"' in line_chart("t", [0, 1], [Series("a", [0, 0], 0)], unit=str)


def test_many_runs_share_bars():
    assert births_bars((1,) * 400, label="x").count("<rect") == 40


def text_of(report: str) -> str:
    return " ".join("".join(Document(report).text).split())


def test_the_cut_that_frees_all_leaks_stands_in_the_head():
    report = html_report(replace(samples.SEVERAL, cut=samples.WORKFLOW_CUT))
    head = report[report.index("<header") : report.index("</header>")]
    assert "To free all 20 of them, cut both" in text_of(head)
    assert all(member.pattern in unescape(head) for member in samples.WORKFLOW_CUT.members)


def test_only_the_references_of_the_common_cut_are_ticked():
    effects = ((0, 0, 0), (20, 30, 1), (0, 0, 0), (20, 30, 1))
    switches = Switches(("a", "b"), 25, effects, cut=1, is_whole=True)
    report = html_report(samples.TWO_HOLDERS, switches=switches)
    boxes = [each for each in Document(report).of("input") if each.get("type") == "checkbox"]
    assert ["checked" in box for box in boxes] == [True, False]
    assert (
        "Frees all 20 leaking survivors and what they hold: 30 objects, 1 B."
        " 5 more new objects are bounded or noise and stay." in text_of(report)
    )
    alone = html_report(samples.TWO_HOLDERS, switches=replace(switches, survivors=21))
    assert "1 more new object is bounded or noise and stays." in text_of(alone)


def test_each_leak_is_shown_with_the_run_it_began_in():
    late = replace(samples.MODEL_OUTPUT, births=(0,) * 6 + (3,) * 14, signature="00000001")
    report = html_report(replace(samples.SEVERAL, leaks=(late, samples.MODEL_OUTPUT)))
    chart = report[report.index('<ol class="began">') :]
    assert chart.index("from run 1<") < chart.index("from run 7<")


def test_lines_link_to_the_repository_when_its_address_is_known():
    report = html_report(samples.TWO_HOLDERS, source_url="https://host/app/blob/main/{file}#L{line}")
    links = [each["href"] for each in Document(report).of("a")]
    assert "https://host/app/blob/main/fixtures/streamlab/workflow.py#L31" in links


@pytest.mark.parametrize("file", ["/usr/lib/python3/queue.py", "../x.py", "<string>", "javascript:x", ""])
def test_a_file_outside_of_the_project_has_no_address(file: str):
    assert source_link("https://host/{file}#L{line}", file, 3) == ""


def test_markup_in_a_file_stays_inside_its_address():
    assert source_link("https://host/{file}", 'a"><b>.py', 1) == "https://host/a%22%3E%3Cb%3E.py"


@pytest.mark.parametrize("text", ["javascript:alert(1)//{file}", "https://host/app", "file:///{file}"])
def test_an_address_that_shows_no_file_is_refused(text: str):
    with pytest.raises(UsageError):
        checked_template(text)


def test_a_page_with_some_of_the_references_says_what_its_count_has_to_do_with_the_headline():
    found = replace(samples.SEVERAL, cut=replace(samples.WORKFLOW_CUT, of=20))
    text = html_report(found, switches=Switches(("a",), 25, ((0, 0, 0), (5, 9, 1000)), is_whole=False))
    assert "Frees 5 of 25 new objects: 9 objects, 1.00 kB." in text
    assert "New objects are the 20 that leak and 5 more," in text
