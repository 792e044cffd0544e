"""Captures that go on until the verdict is decided, and that try their own cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leakscan import load
from leakscan.analysis.cuts.proof_plan import plan_proof
from leakscan.analysis.graph.garbage import liveness
from leakscan.capture import Prove, Settings, capture, read_capture
from leakscan.cli import main

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(autouse=True)
def in_a_folder_with_the_fixtures(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES))
    monkeypatch.chdir(tmp_path)


def test_the_proposed_cut_is_proved_in_the_process_that_leaks(capfd):
    assert main(["capture", "streamlab:stream_once", "--runs", "5", "--prove"]) == 0
    out = capfd.readouterr().out
    assert "streams    read to their ends; --mode abandon leaves early" in out
    line = next(line for line in out.splitlines() if "proved" in line)
    what, cut = line.partition(", with ")[0].split(" freed by cutting ")
    assert what == "  proved in a forked child: 5 of 5 ModelOutput"
    assert sorted(cut.split(" and ")) == ["Emitter.handlers['chunk'][*]", "Workflow._runs[*]"]


def test_half_of_the_cut_frees_nothing():
    def cut_only_the_runs(captured):
        if captured.proof is not None:
            return None
        after = load(captured.after)
        row = after.type_names.index("streamlab.output.ModelOutput")
        outputs = np.flatnonzero(after.type_ids == row).astype(np.uint32)
        plan = plan_proof(after, liveness(after), cut=["Workflow._runs[*]"], survivors=outputs)
        return Prove(
            cut=("Workflow._runs[*]",),
            types=("ModelOutput",),
            references=plan.references,
            survivors=plan.survivors,
        )

    captured = capture(
        "streamlab:stream_once",
        output=Path("leak"),
        settings=Settings(runs=3, warmup=1),
        decide=cut_only_the_runs,
    )
    assert captured.proof is not None
    assert (captured.proof.of, captured.proof.freed, captured.proof.failed) == (4, 0, "")


def test_runs_are_added_until_the_verdict_is_decided():
    Path("program.py").write_text("kept = []\n\nclass Box: pass\n\ndef once():\n    kept.append(Box())\n")
    assert main(["capture", "program.py:once", "--runs", "2", "--until-sure"]) == 0
    assert read_capture(Path("leak")).runs_completed > 2


def test_runs_are_not_added_past_the_limit():
    Path("program.py").write_text("kept = []\n\nclass Box: pass\n\ndef once():\n    kept.append(Box())\n")
    assert main(["capture", "program.py:once", "--runs", "2", "--until-sure", "--most-runs", "3"]) == 0
    assert read_capture(Path("leak")).runs_completed == 3


def test_a_clean_capture_has_nothing_to_prove():
    assert main(["capture", "streamlab:stream_once_fixed", "--runs", "4", "--prove"]) == 0
    assert read_capture(Path("leak")).proof is None
