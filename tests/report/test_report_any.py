"""Whatever the names, counts and shapes in the findings: every report can be made, is inert, and fits."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leakscan.analysis.results.findings import (
    Cut,
    CutMember,
    CycleFinding,
    Findings,
    Growth,
    Holder,
    Leak,
    Path,
    Projection,
    RunFigures,
    Step,
    Verdict,
)
from leakscan.report.html.page import html_report
from leakscan.report.pictures.dot import findings_dot
from leakscan.report.share.json import findings_json
from leakscan.report.share.markdown import LONGEST, markdown_report
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain
from leakscan.report.text.terminal import Screen

NAMES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "dict", "a.b.C", "x" * 200, "m." * 30 + "Class", "['k']", "[*]", "._runs", "`" * 5, "\x1b["]
    ),
)
# More objects than any heap that a snapshot can hold, and more bytes.
COUNTS = st.integers(0, 10**9)
RUNS = 70
BIRTHS = st.just(()) | st.lists(st.integers(0, 50), min_size=RUNS, max_size=RUNS).map(tuple)
VERDICTS = st.sampled_from(Verdict)
STEPS = st.builds(
    Step,
    NAMES,
    st.just("attribute"),
    NAMES,
    name=NAMES,
    file=NAMES,
    line=st.integers(0, 10**6),
    is_holder=st.booleans(),
    is_survivor=st.booleans(),
    is_new=st.booleans(),
    note=NAMES,
)
PATHS = st.builds(
    Path, NAMES, st.sampled_from(["module", "thread", "held_from_c"]), st.lists(STEPS, max_size=25).map(tuple)
)
HOLDERS = st.none() | st.builds(
    Holder, NAMES, NAMES, st.none() | COUNTS, COUNTS, bound=st.none() | COUNTS, file=NAMES, line=COUNTS
)
MEMBERS = st.builds(CutMember, NAMES, COUNTS, COUNTS, COUNTS, frees_old=COUNTS, file=NAMES, line=COUNTS)
CUTS = st.none() | st.builds(
    Cut, st.lists(MEMBERS, max_size=4).map(tuple), COUNTS, COUNTS, COUNTS, is_minimal=st.booleans()
)
LEAKS = st.builds(
    Leak,
    signature=st.text("0123456789abcdef", min_size=8, max_size=8),
    type_name=NAMES,
    count=COUNTS,
    exclusive_bytes=COUNTS,
    shared_bytes=COUNTS,
    verdict=VERDICTS,
    evidence=NAMES,
    rate=st.floats(0, 1e9),
    every_run=st.booleans(),
    first_run=COUNTS,
    last_run=COUNTS,
    births=BIRTHS,
    path=PATHS,
    also_held_by=st.lists(PATHS, max_size=5).map(tuple),
    holder=HOLDERS,
    cut=CUTS,
    noise=NAMES,
    name=NAMES,
    contents=st.lists(st.tuples(NAMES, COUNTS, COUNTS), max_size=6).map(tuple),
    sites=st.lists(st.tuples(NAMES, COUNTS, NAMES, COUNTS), max_size=5).map(tuple),
)
GROWTH = st.builds(
    Growth, NAMES, COUNTS, COUNTS, COUNTS, COUNTS, BIRTHS, st.floats(0, 1e6), st.none() | COUNTS, VERDICTS
)
GROUPS = st.lists(LEAKS, max_size=3).map(tuple)
FINDINGS = st.builds(
    Findings,
    verdict=VERDICTS,
    headline=NAMES.map(lambda rest: f"LEAK  {rest}"),
    identity=NAMES,
    runs=st.just(RUNS),
    warmup=st.integers(0, 10),
    mode=NAMES,
    target=NAMES,
    runtime=NAMES,
    growth=st.lists(GROWTH, max_size=15).map(tuple),
    leaks=GROUPS,
    noise=GROUPS,
    others=GROUPS,
    cut=CUTS,
    cycles=st.lists(
        st.builds(CycleFinding, st.lists(NAMES, max_size=3).map(tuple), COUNTS, COUNTS, st.booleans(), NAMES),
        max_size=5,
    ).map(tuple),
    projections=st.lists(st.builds(Projection, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), max_size=3).map(
        tuple
    ),
    per_run=st.lists(st.tuples(COUNTS, COUNTS, COUNTS), max_size=30).map(
        lambda rows: tuple(RunFigures(run, *row) for run, row in enumerate(rows))
    ),
    survivor_count=COUNTS,
    survivor_bytes=COUNTS,
    garbage_count=COUNTS,
    garbage_bytes=COUNTS,
    next_command=NAMES,
    warnings=st.lists(NAMES, max_size=3).map(tuple),
    omitted=st.lists(NAMES, max_size=3).map(tuple),
    proof=NAMES,
)
many = settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@many
@given(FINDINGS, st.sampled_from([80, 100, 120]), st.booleans(), st.sampled_from([0, 1, 10]))
def test_text_fits_and_holds_no_control_characters(
    findings: Findings, width: int, all_paths: bool, limit: int
):
    text = plain(findings_text(findings, TextOptions(limit, all_paths, Screen(width))))
    wrong = [row for row in text.split("\n")[:-1] if len(row) > width or not row.isprintable()]
    assert wrong == []


@many
@given(FINDINGS)
def test_dot_has_balanced_quotes_on_every_line(findings: Findings):
    rows = findings_dot(findings).splitlines()
    assert [row for row in rows if row.replace("\\\\", "").replace('\\"', "").count('"') % 2] == []


@many
@given(FINDINGS)
def test_json_can_be_read_back(findings: Findings):
    assert json.loads(findings_json(findings))["headline"] == findings.headline


@many
@given(FINDINGS)
def test_the_bug_report_fits_an_issue_tracker(findings: Findings):
    assert len(markdown_report(findings)) <= LONGEST


@settings(many, max_examples=5)
@given(FINDINGS)
def test_the_page_holds_no_element_from_a_name(findings: Findings):
    assert html_report(findings).count("<script") == 1
