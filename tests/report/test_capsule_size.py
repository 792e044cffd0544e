"""A capsule is small enough to be sent to somebody, however much there was to say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import findings_samples as samples
from leakscan.analysis.capsule import Capsule
from leakscan.report.share.capsule import capsule_text


def test_a_capsule_takes_two_hundred_kilobytes_and_says_what_was_cut_out():
    (row, *_) = samples.TWO_HOLDERS.growth
    rows = tuple(replace(row, type_name=f"app.T{number}") for number in range(600))
    findings = replace(samples.TWO_HOLDERS, growth=rows)
    text = capsule_text(Capsule((findings,), (), (), (None,), (), ()))
    assert len(text.encode()) <= 200_000
    assert json.loads(text)["cut_out"] == [
        "types below the first 60 of the table: they did not fit into the capsule"
    ]


def test_a_capsule_says_the_version_of_the_newest_published_schema():
    published = Path(__file__).parents[2].glob("docs/schema/capsule-*.json")
    text = capsule_text(Capsule((samples.TWO_HOLDERS,), (), (), (None,), (), ()))
    assert json.loads(text)["version"] == max(int(re.sub(r"\D", "", path.stem)) for path in published)


def test_findings_say_the_version_of_their_newest_published_schema():
    published = Path(__file__).parents[2].glob("docs/schema/findings-*.json")
    versions = {int(found[1]) for path in published if (found := re.fullmatch(r"findings-(\d+)", path.stem))}
    assert samples.TWO_HOLDERS.version == max(versions)
