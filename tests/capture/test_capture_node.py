"""Capturing a JavaScript scenario: Node is driven like an interpreter, and fails as clearly."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from asked import COVERED, kinds
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import ModeDoesNotApply, Settings, capture, read_capture
from leakscan.cli import main
from leakscan.errors import CaptureError, UnsupportedInterpreter, UsageError
from node_runs import NODE, captured, needs_node

LEAK = """
const kept = new Map();
class Output { chunks = []; }
let count = 0;
export async function run() {
  const output = new Output();
  kept.set(`run-${count++}`, output);
  for (let i = 0; i < 5; i++) output.chunks.push({ text: "chunk " + i });
  console.log("kept for a front end that never comes", output);
  return stream(output);
}
async function* stream(output) { yield* output.chunks; }
"""


@needs_node
def test_each_survivor_is_dated_to_its_run(tmp_path):
    findings = analysed_capture(captured(tmp_path, LEAK))
    leak = findings.leaks[0]
    assert (findings.verdict, leak.type_name, leak.births) == ("leak", "Output", (1,) * 8)


@needs_node
def test_a_scenario_that_keeps_nothing_leaves_no_survivors(tmp_path):
    findings = analysed_capture(captured(tmp_path, "export function run() { return { a: 1 }; }"))
    assert (findings.verdict, findings.leaks, findings.others) == ("clean", (), ())


@needs_node
def test_memory_of_node_is_in_the_census_of_each_run(tmp_path):
    text = "const kept = []; export function run() { kept.push(new ArrayBuffer(1 << 20)); }"
    rows = [row for row in captured(tmp_path, text).census if row.phase == "run"]
    grown = rows[-1].memory["array_buffers_bytes"] - rows[0].memory["array_buffers_bytes"]
    assert grown == 7 << 20
    assert {"rss_bytes", "heap_total_bytes", "heap_used_bytes", "external_bytes", "malloced_bytes"} <= set(
        rows[0].memory
    )


@needs_node
@pytest.mark.parametrize(
    ("mode", "how"),
    [
        ("consume", "finished"),
        pytest.param("abandon", "abandoned", marks=COVERED),
        ("cancel", "cancelled"),
        ("timeout", "timed out"),
        pytest.param("error", "error raised", marks=COVERED),
        ("concurrent", "finished"),
    ],
)
def test_a_web_stream_is_brought_to_the_end_that_was_asked_for(tmp_path, mode, how):
    text = """
export function run({ signal }) {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (signal.aborted) controller.error(signal.reason);
      else if (sent++ < 9) controller.enqueue(sent);
      else controller.close();
    },
  });
}
"""
    settings = Settings(runs=2, warmup=1, settle_seconds=0)
    assert captured(tmp_path, text, mode=mode, settings=settings).ended == {how: 2}


@needs_node
@pytest.mark.parametrize("mode", kinds(["consume", "abandon", "cancel", "error"], "abandon", "error"))
def test_emitters_are_listened_to(tmp_path, mode):
    text = """
import { EventEmitter } from "node:events";
export function run() {
  const emitter = new EventEmitter();
  emitter.cancel = () => emitter.emit("close");
  let sent = 0;
  const next = () => {
    try { emitter.emit(...(sent++ < 9 ? ["data", sent] : ["end"])); }
    catch (error) { emitter.emit("error", error); return; }
    if (sent < 11) setImmediate(next);
  };
  setImmediate(next);
  return emitter;
}
"""
    how = {"consume": "finished", "abandon": "abandoned", "cancel": "cancelled", "error": "error raised"}[
        mode
    ]
    settings = Settings(runs=2, warmup=1, settle_seconds=0)
    assert captured(tmp_path, text, mode=mode, settings=settings).ended == {how: 2}


@needs_node
def test_a_scenario_without_a_stream_has_nothing_to_abandon(tmp_path):
    with pytest.raises(ModeDoesNotApply, match="returns no stream"):
        captured(tmp_path, "export function run() {}", mode="abandon")


@needs_node
def test_a_commonjs_module_is_a_target(tmp_path):
    text = "const kept = []; module.exports = { run() { kept.push({}); } };"
    settings = Settings(runs=2, warmup=0, settle_seconds=0)
    assert captured(tmp_path, text, file="scenario.cjs", settings=settings).runs_completed == 2


FAILURES = {
    "no such export": ("export function walk() {}", r'no export "run"', "it exports walk"),
    "not a function": ("export const run = 5;", "of type number, not a function", "one unit of work"),
    "syntax": ("export function run() {", "SyntaxError", ""),
    "exception": (
        "let n = 0; export async function run() { if (++n === 9) throw new TypeError('boom'); }",
        r"TypeError in run 7: boom",
        "missing: runs 7 to 8",
    ),
    "exit": (
        "let n = 0; export function run() { if (++n === 9) process.exit(3); }",
        r"ended its process in run 7 \(process.exit\(3\)\)",
        "missing: runs 7 to 8",
    ),
    "rejection": (
        "let n = 0; export async function run() { if (++n === 9) Promise.reject(new Error('lost')); }",
        r"Error in run 7: lost",
        "missing: runs 7 to 8",
    ),
    "stuck": (
        "let n = 0; export async function run() { if (++n === 9) await new Promise(() => {}); }",
        r"run 7 did not end within|never settles",
        "missing: runs 7 to 8",
    ),
    "killed": (
        "let n = 0; export function run() { if (++n === 9) process.kill(process.pid, 'SIGKILL'); }",
        r"ended by SIGKILL in run 7",
        "missing: runs 7 to 8; after.heapsnapshot",
    ),
}


@needs_node
@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_scenario_says_where_and_keeps_what_there_is(tmp_path, name):
    text, message, hint = FAILURES[name]
    settings = Settings(runs=8, warmup=2, settle_seconds=0, timeout_seconds=2 if name == "stuck" else 60)
    with pytest.raises(CaptureError, match=message) as raised:
        captured(tmp_path, text, settings=settings)
    assert hint in raised.value.hint
    if "missing" in hint:
        assert read_capture(tmp_path / "leak").runs_completed == 6


def test_typescript_is_refused_with_a_way_out(tmp_path):
    (tmp_path / "scenario.ts").touch()
    with pytest.raises(UsageError, match=r"not \.ts files") as raised:
        capture(f"{tmp_path / 'scenario.ts'}:run", output=tmp_path / "leak")
    assert "compile it first" in raised.value.hint


@pytest.mark.parametrize("flag", ["--prove", "--native", "--sites", "--trim-probe", "--redact-keys"])
def test_what_only_python_has_is_refused_before_the_runs(tmp_path, capsys, flag):
    code = main(["capture", "scenario.mjs:run", flag, "-o", str(tmp_path / "leak")])
    said = capsys.readouterr().err
    assert (code, f"{flag} is for Python scenarios" in said, (tmp_path / "leak").exists()) == (2, True, False)


@pytest.mark.parametrize("flag", ["--values", "--sites", "--setup=start", "--until-sure"])
def test_what_a_running_node_cannot_be_asked_for_is_refused(tmp_path, capsys, flag):
    code = main(["capture", "--pid", "1", flag, "-o", str(tmp_path / "leak")])
    assert (code, f"{flag.partition('=')[0]} is for scenarios" in capsys.readouterr().err) == (2, True)


def test_a_missing_node_is_named(tmp_path):
    (tmp_path / "a.mjs").touch()
    with pytest.raises(UnsupportedInterpreter, match="no 'no-such-node'"):
        capture(f"{tmp_path / 'a.mjs'}:run", output=tmp_path / "leak", node="no-such-node")


def test_an_old_node_is_refused(tmp_path):
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v16.20.2\n")
    old.chmod(0o755)
    with pytest.raises(UnsupportedInterpreter, match=r"Node 16\.20\.2; leakscan records 18"):
        capture("a.mjs:run", output=tmp_path / "leak", node=str(old))


@needs_node
def test_the_driver_leaves_no_global_behind_and_run_json_names_the_runtime(tmp_path):
    text = "export function run() { if ('gc' in globalThis) throw new Error('gc'); }"
    assert captured(tmp_path, text, settings=Settings(runs=1, warmup=0)).status == "complete"
    run = json.loads((tmp_path / "leak" / "run.json").read_text())
    assert (run["runtime"], run["python"]) == ("node", "")
    assert NODE is not None and run["version_of_runtime"].count(".") == 2


@needs_node
@pytest.mark.parametrize("wait", ["await new Promise(() => setInterval(() => {}, 1000));", "for (;;);"])
def test_ctrl_c_is_answered_by_a_node_that_waits_or_works(tmp_path, wait):
    (tmp_path / "scenario.mjs").write_text(
        "let n = 0; export async function run() {"
        f" if (++n === 3) {{ process.kill(process.ppid, 'SIGINT'); {wait} }} }}"
    )
    command = [
        sys.executable,
        "-m",
        "leakscan",
        "capture",
        "scenario.mjs:run",
        "--warmup",
        "0",
        "--runs",
        "5",
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True, timeout=120)
    found = read_capture(tmp_path / "leak")
    assert (result.returncode, found.status, found.runs_completed) == (130, "interrupted", 2), result.stderr
    assert "runs 3 to 5" in " ".join(found.missing)
    assert found.before.exists()


@needs_node
def test_a_disk_that_is_full_is_said_and_leaves_what_was_captured(tmp_path):
    text = """
    import { execFileSync } from "node:child_process";
    let n = 0;
    export function run() {
      if (++n === 3) execFileSync("prlimit", [`--pid=${process.pid}`, "--fsize=1:1"]);
    }
    """
    with pytest.raises(CaptureError, match=r"cannot write|disk|room|too large") as raised:
        captured(tmp_path, text, settings=Settings(runs=5, warmup=0, settle_seconds=0, timeout_seconds=60))
    found = read_capture(tmp_path / "leak")
    assert (found.status, found.before.exists(), bool(raised.value.hint)) == ("failed", True, True)
