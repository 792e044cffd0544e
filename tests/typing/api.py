"""What a type checker sees of the public names: `make check` runs mypy over this file; nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import leakscan
from leakscan.analysis.cuts.whatif import WhatIf
from leakscan.analysis.gate import Gate
from leakscan.analysis.objects.views import Inspection
from leakscan.analysis.one_snapshot import TypePaths
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.answers.query.engine import QueryResult
from leakscan.capture import Capture, Settings, capture, read_capture
from leakscan.capture.attach import Attachment, Taken
from leakscan.heap.graph import HeapGraph
from leakscan.report.html.notebook import Shown
from leakscan.report.json import findings_json


def answers(folder: Path) -> None:
    shown = leakscan.diff(folder, type_name="Message")
    assert_type(shown, Shown)
    assert_type(shown.findings, Findings)
    assert_type(shown.findings.verdict, Verdict)
    assert_type(findings_json(shown.findings), str)
    assert_type(leakscan.check(folder), Gate)
    assert_type(leakscan.paths(folder, "Message"), TypePaths)
    assert_type(leakscan.whatif("leak/", cut=["Bus.handlers[*]"]), WhatIf)
    assert_type(leakscan.inspect(folder, "Bus.handlers"), Inspection)
    assert_type(leakscan.query(folder, "SELECT * FROM leaks"), QueryResult)
    assert_type(leakscan.load(folder / "after.heap"), HeapGraph)


def captures(folder: Path) -> None:
    assert_type(capture("app:work", output=folder, settings=Settings(runs=5)), Capture)
    assert_type(read_capture(folder).before, Path)


def running(pid: int, folder: Path) -> None:
    with Attachment(pid) as attachment:
        assert_type(attachment.snapshot(folder / "1.heap"), Taken)


def tested() -> None:
    leakscan.assert_no_leaks(lambda: None, runs=5)
