"""The explorer's pages: every link leads somewhere, and nothing out of a heap acts on a page."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pytest

from drawn_captures import CLEAN, draw_capture, leaking
from heaps import heap
from leakscan.answers.bundle import capsule_of
from leakscan.errors import UsageError
from leakscan.explorer.looking import Explorer
from leakscan.explorer.pages import answered
from leakscan.explorer.rendering import Page
from leakscan.heap.graph import HeapGraph, StringTable
from leakscan.heap.writer import write
from leakscan.report.share.capsule import capsule_text

BASE = "/token"
TWICE = "; ".join(
    ["", "ns -['also']-> also; also: list birth=0", *(f"also -[{n}]-> out{n}" for n in range(1, 21))]
)


def page(explorer: Explorer, address: str) -> Page:
    parts = urlsplit(address)
    return answered(explorer, unquote(parts.path.removeprefix(BASE)), dict(parse_qsl(parts.query)), base=BASE)


def links(text: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'href="([^"]*)"', text)]


def crawled(explorer: Explorer, *, most: int = 250) -> dict[str, Page]:
    """Pages by address, from the first one on, as far as `most`."""
    waiting, pages = [f"{BASE}/"], {}
    while waiting and len(pages) < most:
        address = waiting.pop(0)
        found = pages[address] = page(explorer, address)
        for each in [*links(found.body), *([found.location] if found.location else [])]:
            if each not in pages and each not in waiting and each.startswith(BASE):
                waiting.append(each)
    return pages


def explored(tmp_path: Path, after: str | None = None) -> Explorer:
    return Explorer([draw_capture(tmp_path / "leak", after=after)])


def test_every_link_leads_to_a_page(tmp_path: Path):
    pages = crawled(explored(tmp_path, leaking() + TWICE))
    files = {f"{BASE}/style.css", f"{BASE}/icon.svg"}
    assert [address for address, found in pages.items() if found.status >= 400 and address not in files] == []
    assert len(pages) > 60


def test_the_first_page_has_the_leaks_and_what_to_cut(tmp_path: Path):
    first = page(explored(tmp_path), f"{BASE}/").body
    assert "LEAK  20 Output survive 20 runs" in first
    assert f'href="{BASE}/whatif?cut=Workflow._runs%5B%2A%5D"' in first
    assert f'href="{BASE}/leak/0-0"' in first


def test_a_leaks_page_shows_every_way_that_keeps_it_alive(tmp_path: Path):
    shown = page(explored(tmp_path, leaking() + TWICE), f"{BASE}/leak/0-0").body
    assert "The 2 ways that keep them alive" in shown
    assert shown.count("cut this reference") == 2


def test_the_steps_of_a_leaks_path_lead_to_their_very_objects(tmp_path: Path):
    graph = heap(leaking() + TWICE)
    shown = page(explored(tmp_path, leaking() + TWICE), f"{BASE}/leak/0-0").body
    told = re.findall(rf'<code>(.*?)</code> <a href="{BASE}/object/(\d+)">', shown)
    assert {(html.unescape(reference), int(number)) for reference, number in told} >= {
        ("flow", graph["flow"]),
        ("._runs", graph["runs"]),
        ("also", graph["also"]),
    }


def test_an_object_shows_holders_fields_ways_and_what_it_goes_with(tmp_path: Path):
    explorer = explored(tmp_path, leaking() + TWICE)
    graph = heap(leaking() + TWICE)
    shown = page(explorer, f"{BASE}/object/{graph['out3']}").body
    text = html.unescape(re.sub(r"<[^>]+>", "", shown))
    for part in ("app.also[3]", "Workflow._runs['run-3']", "2 ways to it", "in run 3", "1.00 kB itself"):
        assert part in text


def test_what_if_one_reference_were_gone(tmp_path: Path):
    explorer = explored(tmp_path)
    graph = heap(leaking())
    runs = next(ref for ref in graph.references(graph["flow"]))
    text = re.sub(r"<[^>]+>", "", page(explorer, f"{BASE}/whatif?ref={runs}").body)
    assert "Frees 21 objects, 20.0 kB" in text


def test_what_if_frees_nothing_says_who_else_holds_it(tmp_path: Path):
    explorer = explored(tmp_path, leaking() + TWICE)
    graph = heap(leaking() + TWICE)
    ref = next(iter(graph.references(graph["runs"])))
    shown = html.unescape(page(explorer, f"{BASE}/whatif?ref={ref}").body)
    assert "Frees <strong>nothing</strong>" in shown and "app.also[1]" in shown


def test_a_pattern_that_means_one_object_leads_straight_to_it(tmp_path: Path):
    found = page(explored(tmp_path), f"{BASE}/find?q=app.flow._runs")
    assert (found.status, found.location) == (303, f"{BASE}/object/{heap(leaking())['runs']}")


@pytest.mark.parametrize(
    "address",
    [
        "/nothing",
        "/object/999999",
        "/object/-1",
        "/object/x",
        "/object/",
        "/object/\u0661",
        "/leak/9-9",
        "/leak/",
        "/leak/0-999",
        "/whatif?ref=99999999",
        "/whatif?ref=-1",
        "/whatif?cut=nope",
        "/whatif",
        "/find?q=nope",
        "/dominators?under=99999999",
        "/style.css/x",
        "/object/1/2",
        "/../../etc/passwd",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(tmp_path: Path, address: str):
    assert page(explored(tmp_path), BASE + address).status == 404


@pytest.mark.parametrize(
    "address",
    ["/object/2?rows=99999999999999", "/object/2?rows=x", "/search?least=1e9&born=x", "/dominators?under=x"],
)
def test_odd_parameters_are_left_out(tmp_path: Path, address: str):
    assert page(explored(tmp_path), BASE + address).status == 200


def test_a_capture_without_leaks_has_pages_too(tmp_path: Path):
    first = page(explored(tmp_path, CLEAN), f"{BASE}/").body
    assert "NO LEAK" in first


def test_one_snapshot_begins_with_what_its_memory_hangs_on(tmp_path: Path):
    folder = draw_capture(tmp_path / "leak")
    explorer = Explorer([folder / "after.heap"])
    assert "What the memory hangs on" in page(explorer, f"{BASE}/").body
    growth = page(explorer, f"{BASE}/growth")
    assert (growth.status, "growth needs two snapshots" in growth.body) == (404, True)


def test_two_captures_are_no_pair_of_snapshots(tmp_path: Path):
    folder = draw_capture(tmp_path / "leak")
    with pytest.raises(UsageError):
        Explorer([folder, folder])


def test_two_snapshots_have_growth(tmp_path: Path):
    folder = draw_capture(tmp_path / "leak")
    explorer = Explorer([folder / "before.heap", folder / "after.heap"])
    assert "app.Output" in page(explorer, f"{BASE}/growth").body


def test_a_capsule_shows_its_answers_and_says_that_it_has_no_heap(tmp_path: Path):
    folder = draw_capture(tmp_path / "leak")
    file = tmp_path / "leak.capsule"
    file.write_text(capsule_text(capsule_of([folder])))
    explorer = Explorer([file])
    explorer.prepare()
    assert list(explorer.rest()) == []
    explorer.warm()
    pages = crawled(explorer)
    assert "LEAK  20 Output survive" in pages[f"{BASE}/"].body
    files = {f"{BASE}/style.css", f"{BASE}/icon.svg"}
    assert [address for address, found in pages.items() if found.status >= 400 and address not in files] == []
    assert "a capsule holds answers" in page(explorer, f"{BASE}/object/1").body


HOSTILE = "</title><script>alert(1)</script>\x1b[31m\u202e\"'<img src=x onerror=y>{{7*7}}"


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.acting: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.acting += [key for key, _ in attrs if key.startswith("on") or key in ("style", "src", "srcset")]


def renamed(graph: HeapGraph, names: set[str], to: str) -> HeapGraph:
    """The same heap; every string that is one of `names` is `to`."""
    texts = [graph.strings[number] for number in range(len(graph.strings))]
    encoded = [(to if text in names else text).encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded]).astype(np.uint64)
    fields = {name: getattr(graph, name) for name in HeapGraph.__dataclass_fields__}
    return HeapGraph(**{**fields, "strings": StringTable(b"".join(encoded), ends)})


def test_hostile_names_are_inert_on_every_page(tmp_path: Path):
    drawn = """
        module app -> m; m: module name=app; m -[.REG]-> reg; reg: app.Reg birth=0
        reg -['key']-> list; list: list birth=0
    """
    rows = "\n".join(f"list -[{n}]-> o{n}; o{n}: app.Leak birth={n + 1} size=100" for n in range(6))
    folder = draw_capture(tmp_path / "leak", before=drawn, after=drawn + rows, runs=6)
    write(renamed(heap(drawn + rows), {"Leak", "key", "Reg", "REG"}, HOSTILE), folder / "after.heap")
    pages = crawled(Explorer([folder]), most=120)
    assert len(pages) > 20 and any("&lt;script&gt;" in found.body for found in pages.values())
    for address, found in pages.items():
        seen = Seen(found.body)
        assert ("script" in seen.tags, "img" in seen.tags, seen.acting) == (False, False, []), address
        assert [sign for sign in found.body if not (sign.isprintable() or sign == "\n")] == [], address


@pytest.mark.parametrize("name", ["q", "type", "attribute", "cut"])
def test_what_a_reader_types_is_inert_too(tmp_path: Path, name: str):
    where = {"q": "find", "type": "search", "attribute": "search", "cut": "whatif"}[name]
    found = answered(explored(tmp_path), f"/{where}", {name: HOSTILE}, base=BASE)
    seen = Seen(found.body)
    assert ("script" in seen.tags, "img" in seen.tags, seen.acting) == (False, False, [])


def test_texts_that_repeat_are_told_by_hash_and_lead_to_their_objects(tmp_path: Path):
    graph = heap("module app -> a, b, c; a: str size=60; b: str size=60; c: str size=60")
    graph.__dict__.update(
        text_objects=np.arange(3, dtype=np.uint32) + graph["a"],
        text_lengths=np.array([11, 11, 11], np.uint32),
        text_hashes=np.array([0xABC, 0xABC, 0xABD], np.uint64),
    )
    write(graph, tmp_path / "one.heap")
    explorer = Explorer([tmp_path / "one.heap"])
    shown = page(explorer, f"{BASE}/strings").body
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown))
    assert "0000000000000abc str 11 2 120 B" in text and "abd" not in text
    listed = page(explorer, f"{BASE}/text/{graph['a']}").body
    assert f"/object/{graph['b']}" in listed and f"/object/{graph['c']}" not in listed


def test_what_texts_say_is_shown_inert_where_it_was_recorded(tmp_path: Path):
    drawn = heap("module app -> m, a, b; m -['SAID']-> a; a: str size=60; b: str size=60")
    first, second = sorted((drawn["a"], drawn["b"]))
    drawn.__dict__.update(
        text_objects=np.array([first, second], np.uint32),
        text_lengths=np.array([11, 11], np.uint32),
        text_hashes=np.array([0xABC, 0xABC], np.uint64),
        text_values={first: next(row for row in range(99) if drawn.strings[row] == "SAID")},
    )
    write(renamed(drawn, {"SAID"}, HOSTILE), tmp_path / "one.heap")
    explorer = Explorer([tmp_path / "one.heap"])
    for address in ("strings", f"text/{second}"):
        shown = page(explorer, f"{BASE}/{address}").body
        seen = Seen(shown)
        assert ("script" in seen.tags, "img" in seen.tags, seen.acting) == (False, False, [])
        assert "alert(1)" in html.unescape(shown) and "\x1b" not in shown and "\u202e" not in shown
        assert "--values" in shown


def test_without_hashes_strings_are_told_by_size(tmp_path: Path):
    shown = page(explored(tmp_path), f"{BASE}/strings").body
    assert "has no hashes of its texts" in shown


def test_growth_is_a_tree_that_leads_down_to_what_is_new(tmp_path: Path):
    explorer = explored(tmp_path, leaking())
    graph = heap(leaking())
    first = page(explorer, f"{BASE}/growth").body
    text = html.unescape(re.sub(r"<[^>]+>", "", first))
    assert "By module and type" in text and 'class="tile' in first
    under = page(explorer, f"{BASE}/growth?under={graph['runs']}").body
    assert "20 new" in html.unescape(re.sub(r"<[^>]+>", "", under))
    assert page(explorer, f"{BASE}/growth?under=99999999").status == 404


def test_one_snapshot_has_no_growth_and_says_what_has(tmp_path: Path):
    folder = draw_capture(tmp_path / "leak")
    shown = page(Explorer([folder / "after.heap"]), f"{BASE}/growth").body
    assert "growth needs two snapshots" in shown
