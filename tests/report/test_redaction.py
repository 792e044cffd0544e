"""`--redact`: no secret is left in anything that is written, and what is left is said."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

import findings_samples as samples
from cli_runs import CommandLine, command
from drawn_captures import draw_capture
from leakscan.heap.reader import load
from leakscan.report.html.page import html_report
from leakscan.report.share.json import findings_json
from leakscan.report.share.markdown import markdown_report
from leakscan.report.share.redaction import STATEMENTS, Redaction, Redactor, redacted
from leakscan.testing import screen

__all__ = ["command"]

KEYS = ("sk-live-4f9", "alice@example.com", "77001")
NAMES = ("zebra_pkg", "QuaggaFlow", "_okapi_runs", "TapirOutput", "gnu_listener", "ibex_count")
BEFORE = """
    module zebra_pkg.core -> m; m -[.__dict__]-> ns
    ns -['gnu_listener']-> flow; flow -[._okapi_runs]-> runs
    runs -['sk-live-4f9']-> inner
    m: module name=zebra_pkg.core at=/home/carol/zebra_pkg/core.py:1
    ns: dict; flow: zebra_pkg.core.QuaggaFlow; runs: dict; inner: dict
    inner -['alice@example.com']-> old; old: zebra_pkg.core.TapirOutput; inner -[int 77001]-> deep; deep: dict
    Q: type defines=zebra_pkg.core.QuaggaFlow flags=tracked,type name=QuaggaFlow at=/home/carol/core.py:9
    ns -['QuaggaFlow']-> Q
"""
AFTER = "\n".join(
    [BEFORE]
    + [
        f"deep -[int {number}]-> out{number}"
        f"\nout{number}: zebra_pkg.core.TapirOutput size=1000 birth={number}"
        f"\nout{number} -[.ibex_count]-> c{number}; c{number}: list birth={number}"
        for number in range(1, 21)
    ]
)


@pytest.fixture
def leak(tmp_path: Path) -> Path:
    return draw_capture(tmp_path / "leak", before=BEFORE, after=AFTER, target="zebra_pkg.core:gnu_listener")


def outputs(command: CommandLine, leak: Path, folder: Path, level: str) -> dict[str, str]:
    """Everything that can be written with `--redact`, by its name."""
    written = {
        name: str(folder / name) for name in ("report.html", "report.md", "leak.capsule", "x.heapsnapshot")
    }
    for name, file in written.items():
        program = {"leak.capsule": "bundle", "x.heapsnapshot": "export"}.get(name, "report")
        assert command(program, str(leak), "--redact", level, "-o", file)[0] == 0
    texts = {name: Path(file).read_text() for name, file in written.items()}
    texts["diff"] = command("diff", str(leak), "--redact", level, "--paths", "--limit", "0")[1]
    texts["json"] = command("diff", str(leak), "--redact", level, "--json")[1]
    texts["diff of the capsule"] = command("diff", written["leak.capsule"])[1]
    return texts


@pytest.mark.parametrize(
    ("level", "secrets"), [("keys", KEYS), ("names", (*KEYS, *NAMES, "carol")), ("none", ())]
)
def test_no_secret_is_left_anywhere(
    command: CommandLine, leak: Path, tmp_path: Path, level: str, secrets: tuple[str, ...]
):
    texts = outputs(command, leak, tmp_path, level)
    left = [(name, secret) for name, text in texts.items() for secret in secrets if secret in text]
    assert left == []


def test_without_redaction_the_names_are_there(command: CommandLine, leak: Path, tmp_path: Path):
    text = outputs(command, leak, tmp_path, "none")["json"]
    assert [name for name in NAMES if name not in text and name != "ibex_count"] == []


@pytest.mark.parametrize("level", ["keys", "names"])
def test_what_is_left_is_said_in_every_output(command: CommandLine, leak: Path, tmp_path: Path, level: str):
    texts = outputs(command, leak, tmp_path, level)
    for name in ("report.html", "report.md", "leak.capsule", "diff", "json", "diff of the capsule"):
        assert f"redacted ({level})" in texts[name].replace("\\(", "(").replace("\\)", ")"), name


@pytest.mark.parametrize("write", [html_report, markdown_report, findings_json, screen])
def test_the_findings_stay_readable(write):
    text = write(redacted(samples.TWO_HOLDERS, Redaction.NAMES))
    assert ("1 per run, every run" in text, "ModelOutput" in text, "streamlab" in text) == (
        True,
        False,
        False,
    )


def test_a_name_is_replaced_by_the_same_word_everywhere():
    found = redacted(samples.TWO_HOLDERS, Redaction.NAMES)
    short = found.leaks[0].type_name.rpartition(".")[2]
    assert f"20 {short} survive 20 runs" in found.headline
    assert found.leaks[0].path.steps[-1].type_name == found.growth[0].type_name


def test_names_of_the_standard_library_stay():
    leak = replace(samples.TWO_HOLDERS.leaks[0], type_name="asyncio.tasks.Task", contents=(("dict", 1, 1),))
    found = redacted(replace(samples.TWO_HOLDERS, leaks=(leak,)), Redaction.NAMES)
    assert (found.leaks[0].type_name, found.leaks[0].contents) == ("asyncio.tasks.Task", (("dict", 1, 1),))


def test_words_of_a_message_of_the_target_do_not_stay():
    found = redacted(
        replace(samples.CLEAN, warnings=("failed in run 3: hunter2 Tr0ub4dor",)), Redaction.NAMES
    )
    assert "hunter2" not in found.warnings[0] and "Tr0ub4dor" not in found.warnings[0]
    assert found.warnings[0].startswith("failed in run 3:")


@pytest.mark.parametrize("key", ["a']['b", 'x"]["y', "]", "[[[", "\\'", "'", "k" * 9000])
def test_no_key_gets_out_through_its_quotes(key: str):
    from leakscan.analysis.dialects.pattern_text import quoted

    secret = f"{key}SECRET{key}"
    pattern = f"Flow.runs[{quoted(secret)}][*]"
    found = redacted(
        replace(samples.TWO_HOLDERS, headline=f"LEAK  held by {pattern}.", target=pattern), Redaction.KEYS
    )
    assert ("SECRET" in found.headline, "SECRET" in found.target) == (False, False)


def test_the_statements_name_what_is_left():
    assert all("redacted" in STATEMENTS[level] for level in (Redaction.KEYS, Redaction.NAMES))


def test_a_redacted_heap_has_the_same_shape(command: CommandLine, leak: Path, tmp_path: Path):
    graph = load(leak / "after.heap")
    for level in ("none", "names"):
        code, out, _ = command(
            "export", str(leak), "--redact", level, "-o", str(tmp_path / f"{level}.heapsnapshot")
        )
        assert (code, f"{graph.object_count + 1} nodes" in out or "nodes" in out) == (0, True)
    sizes = [
        command("top", str(tmp_path / f"{level}.heapsnapshot"), "--json")[1].count('"retained')
        for level in ("none", "names")
    ]
    assert sizes[0] == sizes[1]


def test_an_unknown_level_is_a_clear_error(command: CommandLine, leak: Path):
    assert command("bundle", str(leak), "--redact", "all") == (
        2,
        "",
        "error: no redaction 'all'\nhint: none, keys or names\n",
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "bound 128 visible, full",
        "3 survive: 1 per run, every run. 1.98 kB retained, 396 B per run.",
        "2 tasks of the runs have not ended: work in flight, or tasks that never end",
    ],
)
def test_leakscans_own_words_stay_wherever_they_are_written(sentence: str):
    assert Redactor(Redaction.NAMES).sentence(sentence) == sentence


def test_thousands_of_names_are_replaced_in_a_moment():
    redactor, begun = Redactor(Redaction.NAMES), time.process_time()
    for number in range(20_000):
        redactor.name(f"Class{number}")
    assert time.process_time() - begun < 3
