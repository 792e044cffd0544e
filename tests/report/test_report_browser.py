"""The page in a real browser, opened from disk with the network off. Skipped where there is no Chromium.

LEAKSCAN_SCREENSHOTS=DIR keeps pictures to look at: light, dark, a phone's width, and paper.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from test_capsule import made

import findings_samples as samples
from asked import COVERED
from browser import Browser, chromium
from cli_runs import CommandLine, command
from leakscan.analysis.results.findings import Findings
from leakscan.answers.capsules import read_capsule
from leakscan.report.html.page import html_report
from leakscan.wording import count_text, size_text

__all__ = ["command", "made"]
pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium (apt install chromium)")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def page(command: CommandLine, made, tmp_path: Path) -> Path:
    """The report of a drawn capture with two references to switch."""
    page = tmp_path / "report.html"
    assert command("report", str(made[0]), "-o", str(page))[0] == 0
    return page


def test_the_page_loads_nothing_and_breaks_no_policy(browser: Browser, page: Path):
    browser.open(page)
    assert (browser.complaints(), browser.requests()) == ([], [page.as_uri()])


def test_every_combination_of_the_switches_says_what_whatif_says(
    browser: Browser, page: Path, command: CommandLine, made
):
    browser.open(page)
    patterns = read_capsule(made[1]).patterns
    set_box = (
        "const b=[...document.querySelectorAll('fieldset input')][{0}]; if (b.checked !== {1}) b.click()"
    )
    for mask in range(2 ** len(patterns)):
        chosen = [pattern for bit, pattern in enumerate(patterns) if mask >> bit & 1]
        for bit in range(len(patterns)):
            browser.run("{" + set_box.format(bit, "true" if mask >> bit & 1 else "false") + "}")
        said = browser.run("document.querySelector('output').textContent")
        if not chosen:
            assert said == "Nothing is removed, nothing is freed."
            continue
        if len(chosen) == len(patterns):
            assert said.startswith("Frees all 20 leaking survivors and what they hold: ")
        cuts = itertools.chain(*(("--cut", pattern) for pattern in chosen))
        answer = command("whatif", str(made[0]), "--json", *cuts)[1]
        numbers = {
            name: int(value) for name, value in re.findall(r'"(frees\w*|survivors)": (\d+)', _top(answer))
        }
        objects = f"{count_text(numbers['frees'])} objects, {size_text(numbers['frees_bytes'])}"
        assert f": {objects}." in said


def _top(answer: str) -> str:
    """The entries of the answer itself, without those of its single effects."""
    return "\n".join(line for line in answer.splitlines() if line.startswith('  "'))


def test_the_switches_work_from_the_keyboard(browser: Browser, page: Path):
    browser.open(page)
    browser.run("document.querySelector('fieldset input').focus()")
    before = browser.run("document.querySelector('output').textContent")
    browser.press(" ", 32, " ")
    assert browser.run("document.querySelector('output').textContent") != before


def test_what_unfolds_and_what_sorts_can_be_reached_by_keyboard(browser: Browser, page: Path):
    browser.open(page)
    wanted = browser.run("document.querySelectorAll('summary, th button, fieldset input, [tabindex]').length")
    browser.run("window.met = new Set()")
    for _ in range(wanted + 10):
        browser.press("Tab", 9)
        browser.run("window.met.add(document.activeElement)")
    reached = browser.run(
        "[...document.querySelectorAll('summary, th button, fieldset input')]"
        ".filter(e => e.checkVisibility() && !window.met.has(e)).length"
    )
    assert reached == 0
    browser.run("document.querySelector('th button').focus()")
    browser.press("Enter", 13, "\r")
    sorted_by = browser.run("document.querySelector('th button').closest('th').getAttribute('aria-sort')")
    assert sorted_by == "descending"


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("several", 1000, False),
        ("sixty", 1280, False),
        ("several", 375, True),
        ("hostile", 375, False),
        ("inconclusive", 1000, True),
        ("drawn", 1000, False),
    ],
)
def test_axe_finds_nothing_to_complain_about(
    browser: Browser, page: Path, tmp_path: Path, name: str, width: int, dark: bool
):
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core (the dependency group `browser`)")
    if name != "drawn":
        page = tmp_path / f"{name}.html"
        page.write_text(html_report(sixty_leaks() if name == "sixty" else samples.ALL[name]))
    browser.show_as(width=width, dark=dark)
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.run((files(axe) / "axe.min.js").read_text() + ";0")
    found = browser.run(
        "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))"
    )
    assert found == []


@pytest.mark.parametrize("name", ["drawn", "several", "hostile", "inconclusive", "clean", "sixty"])
@pytest.mark.parametrize("width", [390, pytest.param(800, marks=COVERED), 1280])
def test_nothing_scrolls_sideways(browser: Browser, page: Path, tmp_path: Path, name: str, width: int):
    if name != "drawn":
        page = tmp_path / f"{name}.html"
        page.write_text(html_report(sixty_leaks() if name == "sixty" else samples.ALL[name]))
    browser.show_as(width=width)
    browser.open(page)
    assert browser.run("document.documentElement.scrollWidth") <= width


def sixty_leaks() -> Findings:
    """Sixty leaks, one of them of a class with a name of 150 characters."""
    leaks = tuple(
        replace(
            samples.MODEL_OUTPUT,
            signature=f"{number:08x}",
            type_name="app.models." + ("Bean_" + "X" * 145 if number == 7 else f"Leak{number}"),
        )
        for number in range(60)
    )
    rows = tuple(replace(samples.TWO_HOLDERS.growth[0], type_name=leak.type_name) for leak in leaks)
    return replace(samples.TWO_HOLDERS, leaks=leaks, growth=rows)


@pytest.mark.parametrize("width", [1280, 390])
def test_sixty_leaks_stay_short_until_they_are_opened(browser: Browser, tmp_path: Path, width: int):
    page = tmp_path / "sixty.html"
    page.write_text(html_report(sixty_leaks()))
    browser.show_as(width=width)
    browser.open(page)
    height = "document.documentElement.scrollHeight"
    assert browser.run(height) < 6_000
    browser.run("document.querySelector('#leaks button.all').click()")
    assert browser.run(height) > 20_000


def test_the_filter_leaves_what_is_asked_for(browser: Browser, tmp_path: Path):
    page = tmp_path / "sixty.html"
    page.write_text(html_report(sixty_leaks()))
    browser.open(page)
    browser.run("filter.value = 'leak41'; filter.dispatchEvent(new Event('input'))")
    seen = "[...document.querySelectorAll('details.leak')].filter(e => e.checkVisibility()).length"
    assert browser.run(seen) == 1
    assert browser.run("document.querySelector('.filter output').textContent") == "1 of 60"


def test_a_leak_of_the_index_opens_when_it_is_followed(browser: Browser, tmp_path: Path):
    page = tmp_path / "sixty.html"
    page.write_text(html_report(sixty_leaks()))
    browser.open(page)
    browser.run("document.querySelector('nav a[href=\"#leak-33\"]').click()")
    assert browser.run("document.getElementById('leak-33').checkVisibility()")


def test_the_answer_stands_right_below_the_headline(browser: Browser, tmp_path: Path):
    page = tmp_path / "several.html"
    page.write_text(html_report(replace(samples.SEVERAL, cut=samples.WORKFLOW_CUT)))
    browser.show_as(width=1280)
    browser.open(page)
    top = "document.querySelector('.answer').getBoundingClientRect().top"
    assert browser.run(top) < 250
    assert "To free all 20 of them, cut both" in browser.run("document.querySelector('.answer').textContent")


def test_three_leaks_are_printed_on_four_pages_at_most(browser: Browser, tmp_path: Path):
    page = tmp_path / "three.html"
    page.write_text(html_report(replace(samples.SEVERAL, leaks=samples.SEVERAL.leaks[:3])))
    browser.show_as()
    browser.open(page)
    browser.paper(tmp_path / "page.pdf")
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes())
    assert 1 <= len(pages) <= 4


def test_the_page_is_printed_whole(browser: Browser, page: Path, tmp_path: Path):
    browser.show_as()
    browser.open(page)
    browser.paper(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")
    assert browser.run("[...document.querySelectorAll('details[data-paper]')].every(d => d.open)")
    browser.show_as(media="print")
    # A heading with nothing below it is no use on paper.
    assert browser.run("getComputedStyle(document.querySelector('details.words')).display") == "none"
    browser.show_as()


@pytest.mark.skipif(
    "LEAKSCAN_SCREENSHOTS" not in os.environ, reason="LEAKSCAN_SCREENSHOTS=DIR keeps pictures"
)
def test_pictures_to_look_at(browser: Browser, tmp_path: Path):
    folder = Path(os.environ["LEAKSCAN_SCREENSHOTS"])
    folder.mkdir(parents=True, exist_ok=True)
    page = tmp_path / "several.html"
    page.write_text(html_report(samples.SEVERAL))
    for name, looks in {"light": {}, "dark": {"dark": True}, "phone": {"width": 390}}.items():
        browser.show_as(**looks)
        browser.open(page)
        browser.picture(folder / f"{name}.png")
    browser.show_as()
    browser.open(page)
    browser.paper(folder / "paper.pdf")
