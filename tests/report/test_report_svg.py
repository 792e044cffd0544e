"""The picture drawn without Graphviz: each object once, as wide as a page, from root to survivor."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

import findings_samples as samples
from leakscan.analysis.results.findings import Findings
from leakscan.report.pictures.mermaid import findings_mermaid
from leakscan.report.pictures.svg import findings_svg

PAGE = 1000


def many(count: int) -> Findings:
    leaks = tuple(
        replace(
            samples.MODEL_OUTPUT,
            signature=f"{number:08x}",
            path=replace(
                samples.WORKFLOW_PATH,
                steps=tuple(
                    replace(step, object=1 if not at else number * 10 + at)
                    for at, step in enumerate(samples.WORKFLOW_PATH.steps)
                ),
            ),
        )
        for number in range(1, count + 1)
    )
    return replace(samples.TWO_HOLDERS, leaks=leaks)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_the_picture_is_no_wider_than_a_page(count: int):
    svg = ElementTree.fromstring(findings_svg(many(count), limit=0))
    assert int(svg.attrib["width"]) <= PAGE


def test_what_all_leaks_hang_on_is_drawn_once():
    assert texts(findings_svg(many(20), limit=0)).count("Workflow") == 1


def test_the_eye_goes_from_the_root_over_the_holder_to_the_survivors():
    shown = texts(findings_svg(many(1)))
    order = [shown.index(word) for word in ("module streamlab.workflow", "holder", "20 x ModelOutput")]
    assert order == sorted(order)


def test_survivors_that_are_reached_once_more_are_pointed_at():
    assert "the same 20 x ModelOutput" in texts(findings_svg(samples.TWO_HOLDERS))


@pytest.mark.parametrize("name", samples.ALL)
def test_every_sample_is_drawn_within_a_page(name: str):
    svg = ElementTree.fromstring(findings_svg(samples.ALL[name]))
    assert int(svg.attrib["width"]) <= PAGE


def test_a_mermaid_block_has_each_object_and_the_cut():
    chart = findings_mermaid(samples.TWO_HOLDERS, limit=5)
    assert chart.startswith("flowchart TD")
    assert (chart.count("20 x ModelOutput"), chart.count("-.->")) == (1, 2)


def test_nothing_in_a_name_means_anything_to_mermaid():
    chart = findings_mermaid(samples.HOSTILE_NAMES, limit=5)
    labels = [part for row in chart.splitlines() for part in row.split('"')[1::2]]
    assert all(not set(label.replace("<br>", "")) & set('<>[](){}|`\\&"') for label in labels)


def test_no_leak_has_no_chart():
    assert findings_mermaid(samples.CLEAN, limit=5) == ""
