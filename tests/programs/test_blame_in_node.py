"""`--blame` on Node: the functions in which the entries of the further runs were made."""

from __future__ import annotations

from leakscan.analysis.results.findings import Verdict
from leakscan.answers.analyse import analysed_capture
from leakscan.answers.decide import decision
from leakscan.capture import Settings, capture
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain
from node_runs import NODE, needs_node

LIBRARY = "exports.Bus = class { hooks = [];\n  on(hook) { this.hooks.push({ hook }); } };"
SCENARIO = """
import { Bus } from "./node_modules/bus/index.js";
class Session { constructor(number) { this.number = number; } }
class Turn { constructor(number) { this.number = number; } }
const sessions = new Map(), bus = new Bus(), turns = {};
let number = 0;
function opened() { return new Session(++number); }
async function answer() {
  await null;
  turns[`turn-${number}`] = new Turn(number);
}
export async function run() {
  const session = opened();
  sessions.set(session.number, session);
  await answer();
  bus.on(() => number);
}
"""
FAILS = "const kept = []; export function run() { if (kept.push({}) > 9) throw new Error('no more room'); }"


def blamed(folder, text: str):
    (folder / "node_modules" / "bus").mkdir(parents=True)
    (folder / "node_modules" / "bus" / "index.js").write_text(LIBRARY)
    (folder / "scenario.mjs").write_text(text)
    decide = decision(most_runs=6, is_proof_wanted=False, is_blame_wanted=True)
    settings = Settings(runs=6, warmup=2, settle_seconds=0.5, timeout_seconds=60)
    target, output = f"{folder / 'scenario.mjs'}:run", folder / "leak"
    return analysed_capture(capture(target, output=output, node=NODE, settings=settings, decide=decide))


@needs_node
def test_entries_tell_the_function_that_made_them(tmp_path):
    found = blamed(tmp_path, SCENARIO)
    rows = [writer for leak in found.leaks for writer in leak.written_by]
    told = {row.function: (row.line, row.caller_function) for row in rows}
    assert told == {"opened": (7, ""), "answer": (8, ""), "on": (2, "run")}
    # V8 12 forgets where an object was made when a collection moves it.
    assert all(row.made and 0 < row.count <= row.of <= 6 for row in rows)
    assert "made in" in plain(findings_text(found, TextOptions()))
    # What was traced is looked at and thrown away.
    assert not list((tmp_path / "leak").glob("traced*"))


@needs_node
def test_a_further_run_that_fails_spoils_nothing_but_the_answer(tmp_path):
    found = blamed(tmp_path, FAILS)
    assert found.verdict is Verdict.LEAK and found.leaks[0].written_by == ()
    assert "who wrote the references is not known: no more room" in found.warnings
