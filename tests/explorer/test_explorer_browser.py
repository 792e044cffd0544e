"""The explorer in a real browser. Skipped where there is no Chromium.

LEAKSCAN_SCREENSHOTS=DIR keeps pictures to look at.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from browser import Browser, chromium
from drawn_captures import draw_capture, leaking
from leakscan.explorer.session import Session

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium (apt install chromium)")
TWICE = "; ".join(
    ["", "ns -['also']-> also; also: list birth=0", *(f"also -[{n}]-> out{n}" for n in range(1, 21))]
)
PAGES = {
    "leaks": "",
    "leak": "leak/0-0",
    "object": "find?q=app.flow._runs",
    "objects": "find?q=Output",
    "dominators": "dominators",
    "types": "types",
    "growth": "growth",
    "strings": "strings",
    "snapshots": "snapshots",
    "search": "search?type=Output&born=3",
    "whatif": "whatif?cut=Workflow._runs%5B%2A%5D",
    "nothing": "find?q=nobody",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = draw_capture(tmp_path_factory.mktemp("drawn") / "leak", after=leaking() + TWICE)
    session = Session([folder])
    thread = threading.Thread(target=session.serve, daemon=True)
    thread.start()
    yield session.door.address
    session.door.close()
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"), has_network=True)
    yield browser
    browser.close()


def test_the_second_holder_of_a_leak_is_one_click_from_the_first_page(browser: Browser, address: str):
    browser.go(address)
    browser.click("main table a[href*='/leak/']")
    ways = browser.run("[...document.querySelectorAll('ol.path')].map(way => way.textContent)")
    assert len(ways) == 2 and any("also" in way for way in ways)


def test_every_object_of_a_way_is_one_more_click_away(browser: Browser, address: str):
    browser.go(address + "leak/0-0")
    browser.click("ol.path li.holder a")
    assert browser.run("document.querySelector('h1').textContent").startswith("dict")
    assert browser.run("document.querySelectorAll('#holders ~ table tbody tr').length") == 1


def test_nothing_is_asked_of_another_host_and_no_policy_is_broken(browser: Browser, address: str):
    browser.go(address)
    for page in ("", "dominators", "leak/0-0"):
        browser.go(address + page)
        assert browser.complaints() == []
        assert all(sent.startswith(address) for sent in browser.requests())


def test_every_link_and_field_can_be_reached_by_keyboard(browser: Browser, address: str):
    browser.go(address + "find?q=app.flow._runs")
    what = "a[href]:not([tabindex='-1']), input, button, summary"
    wanted = browser.run(
        f"document.querySelectorAll({what!r}).length".replace("'", '"').replace('"-1"', "'-1'")
    )
    browser.run("window.met = new Set()")
    for _ in range(wanted + 5):
        browser.press("Tab", 9)
        browser.run("window.met.add(document.activeElement)")
    missed = "[...document.querySelectorAll('main a[href], main summary, input, button')]"
    assert browser.run(f"{missed}.filter(e => e.checkVisibility() && !window.met.has(e)).length") == 0


def test_the_search_works_from_the_keyboard(browser: Browser, address: str):
    browser.go(address)
    browser.run("document.getElementById('q').focus()")
    browser.run("document.getElementById('q').value = 'app.flow._runs'")
    browser.messages.clear()
    browser.press("Enter", 13, "\r")
    browser.wait_for_load()
    assert "/object/" in browser.run("location.pathname")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, address: str, name: str, width: int, dark: bool
):
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core (the dependency group `test`)")
    browser.show_as(width=width, dark=dark)
    browser.go(address + PAGES[name])
    assert browser.run("document.documentElement.scrollWidth") <= width
    if folder := os.environ.get("LEAKSCAN_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.picture(Path(folder) / f"explorer-{name}-{width}.png")
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.run((files(axe) / "axe.min.js").read_text() + ";0")
    found = browser.run(
        "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))"
    )
    assert found == []
