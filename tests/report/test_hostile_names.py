"""Hostile names of types, keys, files and targets are inert in every format that leakscan writes."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import findings_samples as samples
from leakscan.analysis.capsule import Capsule
from leakscan.analysis.gate import gate
from leakscan.analysis.results.findings import Cut, CutMember, Findings, Growth, Holder, Leak, Step
from leakscan.analysis.results.findings import Path as RetentionPath
from leakscan.report.html.notebook import Shown
from leakscan.report.html.page import Switches, html_report
from leakscan.report.pictures.dot import findings_dot
from leakscan.report.pictures.svg import findings_svg
from leakscan.report.share.capsule import capsule_text
from leakscan.report.share.gate import github, junit, sarif
from leakscan.report.share.json import findings_json
from leakscan.report.share.markdown import markdown_report
from leakscan.report.text.gate import gate_text
from leakscan.testing import screen

NAMES = {
    "markup": "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": "\" onload=alert(1) x='",
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b31m",
    "bidi": "evil\u202egnp.\u2066exe\u2069\u200f",
    "newlines": "a\nb\r\nc\u2028d\u2029e\x85f\vg\fh",
    "workflow command": "x\n::error file=a::b%0A\r::set-output name=a::b",
    "xml": "]]></failure></testcase><testcase name='x'/><!--",
    "markdown": "[a](http://b) **c** | d `e` <b>f</b> @all #1 ![x](y)\n# h",
    "dot": '"]; node [shape=none]; x [label="\\N\\l<b>"',
    "surrogate": "a\ud800b\udfffc",
    "nul": "a\x00b\x01c\ufffe\uffff",
    "long": "x" * 20_000,
    "link": "javascript:alert(1)//https://evil.example/",
    "jinja": "{{ 7*7 }}{% raw %}",
}
TODAY = datetime.date(2026, 11, 21)


def findings(name: str) -> Findings:
    """A finding in which every text that comes from the observed program is `name`."""
    steps = (
        Step(name, "key_str", name, name=name, file=name, line=1, is_holder=True, note=name),
        Step(f"['{name}']", "key_str", name, name=name, is_survivor=True, is_new=True),
    )
    path = RetentionPath(f"module {name}", "module", steps)
    member = CutMember(name, 1, 1, 1, file=name, line=1)
    leak: Leak = replace(
        samples.MODEL_OUTPUT,
        type_name=name,
        name=name,
        evidence=name,
        path=path,
        also_held_by=(path,),
        holder=Holder(name, name, 0, 20, file=name, line=3),
        cut=Cut((member, member), 20, 20, 1),
        contents=((name, 1, 1),),
        sites=((name, 1, name, 1),),
        noise=name,
    )
    row = Growth(name, 0, 20, 0, 20, (1,) * 20, 1.0, 1, leak.verdict)
    return replace(
        samples.TWO_HOLDERS,
        headline=f"LEAK  20 {name} survive.",
        target=name,
        mode="cancel",
        growth=(row,),
        leaks=(leak,),
        noise=(leak,),
        others=(leak,),
        cut=leak.cut,
        warnings=(name,),
        omitted=(name,),
        proof=name,
        next_command=name,
    )


def allowed(found: Findings) -> Any:
    return gate([found], today=TODAY)


FORMATS = {
    "text": screen,
    "html": lambda found: html_report(found, switches=Switches((found.target,), 1, ((0, 0, 0), (1, 1, 1)))),
    "markdown": markdown_report,
    "dot": findings_dot,
    "svg": findings_svg,
    "json": findings_json,
    "capsule": lambda found: capsule_text(Capsule((found,), (), (found.target,), (), (), ())),
    "notebook": lambda found: Shown(found)._repr_html_(),
    "notebook text": lambda found: repr(Shown(found)),
    "check text": lambda found: gate_text(allowed(found)),
    "github": lambda found: github(allowed(found)),
    "junit": lambda found: junit(allowed(found)),
    "sarif": lambda found: sarif(allowed(found)),
}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        dangerous = [key for key, _ in attrs if key.startswith("on") or key in ("src", "style", "srcset")]
        self.seen.append(" ".join([tag, *dangerous]))


def structure(form: str, text: str) -> object:
    """What a reader of the format sees of its structure; names must not be able to change it."""
    if form in ("html", "notebook"):
        return sorted({*Tags(text).seen} - {"wbr"})
    if form == "svg":
        return sorted({element.tag for element in ElementTree.fromstring(text).iter()})
    if form == "junit":
        return [element.tag for element in ElementTree.fromstring(text).iter()]
    if form in ("json", "capsule", "sarif"):
        return _shape(json.loads(text))
    if form == "github":
        return [line.partition(" ")[0] for line in text.splitlines()]
    if form == "dot":
        return [
            found.group() for found in re.finditer(r"^  (n\d+( -> n\d+)? \[label|label|\w+ \[)", text, re.M)
        ]
    return None


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items() if key != "cut_out"}
    return [_shape(item) for item in value] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_is_inert(form: str, kind: str):
    text = FORMATS[form](findings(NAMES[kind]))
    text.encode("utf-8")
    assert [sign for sign in set(text) if not (sign.isprintable() or sign == "\n")] == []
    assert structure(form, text) == structure(form, FORMATS[form](findings("plain")))


@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_takes_no_line_of_its_own_in_text(kind: str):
    found = findings(NAMES[kind])
    assert all(len(line) <= 80 for line in screen(found).splitlines())
    assert len(gate_text(allowed(found)).splitlines()) == len(gate_text(allowed(findings("p"))).splitlines())


def test_files_can_be_written_with_what_an_encoding_lacks(tmp_path: Path):
    for form, write in FORMATS.items():
        (tmp_path / f"{form}.txt").write_text(write(findings(NAMES["surrogate"])), encoding="utf-8")
