"""Which route leaks: 64 requests at once over twelve routes, with background tasks and pools of threads."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import validate

from attach_targets import needs_attach, running
from leakscan.analysis.gate import Gate, gate, parse_budget
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.answers.analyse import analysed_one
from leakscan.capture import Settings, capture
from leakscan.report.html.page import html_report
from leakscan.report.share.json import findings_json
from leakscan.report.share.markdown import markdown_report
from leakscan.report.share.redaction import Redaction, redacted
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.gate import gate_text
from leakscan.report.text.lines import plain

ROOT = Path(__file__).resolve().parents[2]
TODAY = datetime.date(2026, 11, 28)
RUNS = 12
CHATS = 6  # of 64 requests over twelve routes
EACH = 7  # turns that one request makes


def pythons() -> list[object]:
    """Every other CPython that is at hand; each needs nothing but itself."""
    found = {version: shutil.which(f"python3.{version}") for version in range(11, 16)}
    own = sys.version_info.minor
    return [
        pytest.param(path, id=f"3.{version}")
        for version, path in found.items()
        if path and version != own and _runs(path)
    ]


def _runs(python: str) -> bool:
    """A shim of a version manager may stand for a version that is not chosen."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False, timeout=60).returncode == 0


def served(target: str, folder: Path, python: str | None = None) -> Findings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "fixtures"), prepend=os.pathsep)
        capture(f"routes:{target}", output=folder, python=python, settings=Settings(runs=RUNS, warmup=1))
    return analysed_one([folder])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return served("serve", tmp_path_factory.mktemp("routes") / "leak")


def test_the_leaking_route_is_named(found):
    (leak,) = [leak for leak in found.leaks if leak.type_name.endswith("Turn")]
    assert leak.holder.label.endswith("Service.turns")
    (share,) = leak.works
    assert (share.name, share.begun) == ("POST /chat", RUNS * CHATS)
    assert share.survivors == leak.count == RUNS * CHATS * EACH
    # Each with its list, its dict, its float and its twenty words.
    assert share.objects >= 23 * leak.count
    assert "born in POST /chat" in found.headline


def test_every_other_route_is_counted_and_left_nothing(found):
    left = {share.name: share.objects for share in found.works}
    assert {share.begun for share in found.works if share.name} <= {RUNS * 5, RUNS * CHATS}
    assert len([name for name in left if name]) == 12
    assert [name for name, objects in left.items() if objects] == ["POST /chat"]
    screen = plain(findings_text(found, TextOptions()))
    assert "POST /chat: " in screen and "nothing of GET /health (72 requests)" in " ".join(screen.split())


def test_the_fixed_twin_leaks_in_no_route(tmp_path):
    found = served("serve_fixed", tmp_path / "fixed")
    assert found.verdict is not Verdict.LEAK
    assert all(share.objects == 0 for share in found.works if share.name == "POST /chat")


@pytest.mark.parametrize("python", pythons())
def test_on_every_python_at_least_99_in_100_are_right(tmp_path, python):
    found = served("serve", tmp_path / "leak", str(python))
    (leak,) = [leak for leak in found.leaks if leak.type_name.endswith("Turn")]
    right = sum(share.objects for share in leak.works if share.name == "POST /chat")
    assert right >= 0.99 * sum(share.objects for share in leak.works)


def test_a_budget_of_a_route_is_by_request(found):
    def asked(text: str) -> Gate:
        return gate([found], today=TODAY, budgets=[parse_budget(text)])

    def passes(text: str) -> bool:
        return asked(text).passes

    assert passes("POST /chat=1MB") and passes("POST /chat=7")
    assert "(1.00 MB per request of POST /chat allowed)" in gate_text(asked("POST /chat=1MB"))
    assert not passes("POST /chat=1kB") and not passes("POST /chat=6") and not passes("GET /health=1MB")


def test_reports_and_json_say_it_too(found):
    validate(json.loads(findings_json(found)), json.loads((ROOT / "docs/schema/findings-1.json").read_text()))
    assert "| `POST /chat` | 72 |" in markdown_report(found)
    assert "Whose requests" in html_report(found)


def test_redacted_answers_name_no_route(found):
    text = findings_json(redacted(found, Redaction.NAMES))
    assert "chat" not in text and "reports" not in text


SERVICE = """
import asyncio, leakscan
kept = {}
class Turn: pass
async def chat():
    with leakscan.work("POST /chat"):
        await asyncio.sleep(0); kept[len(kept)] = Turn()
async def health():
    with leakscan.work("GET /health"):
        await asyncio.sleep(0); Turn()
async def serve():
    await asyncio.gather(*(each() for _ in range(10) for each in (chat, health)))
leakscan.work
print('ready')
while sys.stdin.readline():
    asyncio.run(serve()); print('served')
"""


@needs_attach()
def test_a_running_service_is_told_apart_by_route(tmp_path):
    from leakscan.capture.process.attach import Attachment

    with running(SERVICE) as target:
        target.ask()
        with Attachment(target.pid) as attached:
            attached.arm()
            attached.snapshot(tmp_path / "before.heap")
            attached.keep_armed()
        for _ in range(3):
            target.ask()
        with Attachment(target.pid) as attached:
            attached.snapshot(tmp_path / "after.heap")
            attached.disarm()
        assert target.ask() == "served"
    found = analysed_one([tmp_path / "before.heap", tmp_path / "after.heap"])
    begun = {share.name: share.begun for share in found.works}
    assert (begun["POST /chat"], begun["GET /health"]) == (30, 30)
    leaks = [leak for leak in (*found.leaks, *found.others) if leak.type_name.endswith("Turn")]
    assert [share.name for share in leaks[0].works] == ["POST /chat"]
