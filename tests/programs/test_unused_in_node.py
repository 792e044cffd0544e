"""Variables that a scope keeps and no function uses are found in a real heap; none is accused wrongly."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from leakscan.answers.looking import inspect
from leakscan.explorer.looking import Explorer
from leakscan.explorer.pages import answered
from node_runs import captured, needs_node

pytestmark = [needs_node, pytest.mark.slow]
SCENARIO = """
const held = [];
function makeCase(i) {
  const big = new Array(5000).fill(i);
  const used = { id: i };
  const unused = () => big.length;
  unused();
  return () => used.id;
}
function withEval(i) {
  const secret = new Array(3000).fill(i);
  return (text) => eval(text);
}
async function waiting(i) {
  const payload = new Array(2000).fill(i);
  const later = () => payload.length;
  await new Promise(() => { held.push(later); });
}
class Store {
  field = () => 1;
  make(x) {
    const first = new Array(1000).fill(x), second = new Array(900).fill(x), third = [x, {}];
    const peek = () => [first, third];
    peek();
    return { get n() { return second; }, set n(x) { x.third; } };
  }
}
const store = new Store();
export function run() {
  const i = held.length;
  held.push(makeCase(i), withEval(i), store.make(i));
  waiting(i);
}
"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return captured(tmp_path_factory.mktemp("closures"), SCENARIO).directory


def test_only_what_no_living_function_names_is_called_unused(capture: Path):
    rows = Explorer([capture]).unused_rows
    ours = [row for row in rows if row.file.endswith("scenario.mjs")]
    assert {row.variable for row in ours} == {"big", "first", "third"}
    big = next(row for row in ours if row.variable == "big")
    assert big.scopes >= 8 and big.retained_bytes > 8 * 5000 * 8 and big.line == 8


def test_the_explorer_lists_them_and_an_object_says_so(capture: Path):
    explorer = Explorer([capture])
    shown = answered(explorer, "/closures", {}, base="/t").body
    assert "big" in shown and "secret" not in shown and "payload" not in shown
    scope = next(int(n) for n in re.findall(r'href="/t/object/(\d+)">big<', shown))
    assert "and no function uses it" in answered(explorer, f"/object/{scope}", {}, base="/t").body
    fields = {field.text: field.is_unused for field in inspect(capture, f"#{scope}").view.fields}
    assert fields["closure `big`"] and not fields["closure `used`"]


def test_a_source_that_was_changed_since_accuses_nobody(capture: Path):
    file = capture.parent / "scenario.mjs"
    taken = (capture / "after.heapsnapshot").stat().st_mtime
    os.utime(file, (taken + 10, taken + 10))
    try:
        rows = Explorer([capture]).unused_rows
    finally:
        os.utime(file, (taken - 10, taken - 10))
    assert not [row for row in rows if row.file.endswith("scenario.mjs")]
