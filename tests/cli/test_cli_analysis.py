"""diff, graph, whatif, compare, paths and top on captures that were drawn by hand."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from cli_runs import CommandLine, command
from drawn_captures import BEFORE, CLEAN, draw_capture, draw_modes, leaking
from heaps import heap
from leakscan.heap.writer import write
from leakscan.report.share.schema import schema_text
from snapshots import expected

__all__ = ["command"]
from v8_files import Drawing, written


@pytest.fixture
def leak(tmp_path: Path) -> str:
    return str(draw_capture(tmp_path / "leak"))


@pytest.fixture
def clean(tmp_path: Path) -> str:
    return str(draw_capture(tmp_path / "clean", after=CLEAN))


HELD_TWICE = "; ".join(
    ["", "ns -['also']-> also; also: list birth=0", *(f"also -[{n}]-> out{n}" for n in range(1, 21))]
)
TRANSCRIPTS = {
    "diff": ("diff", "{leak}"),
    "diff_paths": ("diff", "{leak}", "--type", "Output", "--paths", "--limit", "0"),
    "diff_two_snapshots": ("diff", "{leak}/before.heap", "{leak}/after.heap"),
    "diff_clean": ("diff", "{clean}"),
    "diff_unknown_type": ("diff", "{leak}", "--type", "Outputt"),
    "check_unknown_budget": ("check", "{leak}", "--budget", "Outputt=1"),
    "diff_one_file": ("diff", "{leak}/after.heap"),
    "diff_missing_file": ("diff", "{leak}/before.heap", "{leak}/later.heap"),
    "diff_three_paths": ("diff", "{leak}", "{leak}", "{leak}"),
    "graph": ("graph", "{leak}"),
    "graph_unknown_ending": ("graph", "{leak}", "-o", "{leak}/leak.bmp"),
    "whatif": ("whatif", "{leak}", "--cut", "Workflow._runs[*]"),
    "whatif_also_held": ("whatif", "{twice}", "--cut", "Workflow._runs[*]"),
    "whatif_nothing_named": ("whatif", "{leak}"),
    "whatif_no_match": ("whatif", "{leak}", "--cut", "Workflow._run[*]"),
    "compare_fixed": ("compare", "{leak}", "{clean}"),
    "compare_same": ("compare", "{leak}", "{leak}"),
    "compare_no_worse": ("compare", "{leak}", "{leak}", "--no-worse"),
    "compare_worse": ("compare", "{clean}", "{leak}"),
    "paths": ("paths", "{leak}", "--type", "Output"),
    "paths_unknown_type": ("paths", "{leak}/after.heap", "--type", "Outputt"),
    "report_unknown_ending": ("report", "{leak}", "-o", "{leak}/report.pdf"),
    "top": ("top", "{leak}"),
    "top_types": ("top", "{leak}/after.heap", "--by", "type"),
    "top_expand_nothing": ("top", "{twice}", "--expand", "Workflow._runs"),
    "paths_twice": ("paths", "{twice}", "--type", "Output"),
    "inspect": ("inspect", "{leak}", "app.flow._runs", "--limit", "3"),
    "inspect_several": ("inspect", "{leak}", "Workflow._runs[*]", "--limit", "3"),
    "inspect_nothing": ("inspect", "{leak}", "Workflow._run"),
    "inspect_number": ("inspect", "{leak}", "#1000"),
    "top_expand_several": ("top", "{leak}", "--expand", "Output", "--limit", "3"),
    "top_expand_nothing_there": ("top", "{leak}", "--expand", "Outputs"),
    "top_expand": ("top", "{leak}", "--expand", "Workflow._runs", "--limit", "3"),
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_command_says_what_was_agreed(
    command: CommandLine, tmp_path: Path, leak: str, clean: str, name: str
):
    twice = str(draw_capture(tmp_path / "twice", after=leaking() + HELD_TWICE))
    arguments = [part.format(leak=leak, clean=clean, twice=twice) for part in TRANSCRIPTS[name]]
    text = command.transcript(*arguments, hide=str(tmp_path))
    assert text == expected(f"cli/{name}.txt", text)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("findings", ("diff", "{leak}")),
        ("whatif", ("whatif", "{leak}", "--cut", "Workflow._runs[*]")),
        ("compare", ("compare", "{leak}", "{leak}")),
        ("paths", ("paths", "{leak}", "--type", "Output")),
        ("top", ("top", "{leak}")),
        ("inspect", ("inspect", "{leak}", "Workflow._runs[*]")),
    ],
)
def test_json_is_one_document_that_fits_its_schema(
    command: CommandLine, leak: str, kind: str, arguments: tuple[str, ...]
):
    _, out, err = command(*(part.format(leak=leak) for part in arguments), "--json")
    validator = jsonschema.Draft202012Validator(json.loads(schema_text(kind)))
    assert (err, [error.message for error in validator.iter_errors(json.loads(out))]) == ("", [])


def test_the_same_capture_gives_the_same_bytes(command: CommandLine, leak: str):
    assert command("diff", leak, "--json") == command("diff", leak, "--json")


def test_each_mode_has_its_own_report_below_a_line_that_names_those_that_leak(
    command: CommandLine, tmp_path: Path
):
    modes = draw_modes(tmp_path / "all", {"consume": CLEAN, "cancel": leaking(), "error": None})
    text = command.transcript("diff", str(modes), hide=str(tmp_path))
    assert text == expected("cli/diff_modes.txt", text)


def test_json_of_several_modes_fits_its_schema(command: CommandLine, tmp_path: Path):
    modes = draw_modes(tmp_path / "all", {"consume": CLEAN, "cancel": leaking(), "error": None})
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("findings-by-mode")))
    found = json.loads(command("diff", str(modes), "--json")[1])
    assert ([error.message for error in validator.iter_errors(found)], len(found["modes"])) == ([], 2)


def test_captures_of_several_modes_are_compared_mode_by_mode(command: CommandLine, tmp_path: Path):
    leaking_one = draw_modes(tmp_path / "all", {"consume": CLEAN, "cancel": leaking(), "error": None})
    fixed = draw_modes(tmp_path / "fixed", {"consume": CLEAN, "cancel": CLEAN, "abandon": CLEAN})
    text = command.transcript("compare", str(leaking_one), str(fixed), hide=str(tmp_path))
    assert text == expected("cli/compare_modes.txt", text)


def test_json_of_modes_compared_fits_its_schema(command: CommandLine, tmp_path: Path):
    modes = str(draw_modes(tmp_path / "all", {"consume": CLEAN, "cancel": leaking()}))
    code, out, _ = command("compare", modes, modes, "--json")
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("compare-by-mode")))
    found = json.loads(out)
    assert ([error.message for error in validator.iter_errors(found)], code) == ([], 1)
    assert [(mode, one["is_fixed"]) for mode, one in found["modes"]] == [("consume", True), ("cancel", False)]


def test_a_graph_of_several_modes_asks_which(command: CommandLine, tmp_path: Path):
    modes = draw_modes(tmp_path / "all", {"consume": CLEAN, "cancel": leaking()})
    assert command("graph", str(modes)) == (
        2,
        "",
        f"error: {modes} holds one capture for each mode\n"
        f"hint: choose one: {modes / 'consume'}, {modes / 'cancel'}\n",
    )


def test_a_dot_file_is_written_where_asked(command: CommandLine, leak: str, tmp_path: Path):
    out = tmp_path / "leak.dot"
    assert (command("graph", leak, "-o", str(out)), out.read_text()[:14]) == ((0, "", ""), "digraph leak {")


def test_a_page_is_written_with_switches_for_the_cuts(command: CommandLine, leak: str, tmp_path: Path):
    out = tmp_path / "report.html"
    assert command("report", leak, "-o", str(out)) == (0, "", "")
    said = "Frees all 20 leaking survivors and what they hold: 20 objects, 20.0 kB."
    assert said in out.read_text(encoding="utf-8")


def test_a_bug_report_carries_its_graph(
    command: CommandLine, leak: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = command("report", leak, "-o", str(tmp_path / "bug.md"))
    beside = sorted(path.name for path in tmp_path.glob("bug.*"))
    assert (code, out, err, beside) == (0, "", "", ["bug.md"])
    assert "```mermaid\nflowchart TD\n" in (tmp_path / "bug.md").read_text(encoding="utf-8")


def test_snapshots_of_two_programs_are_not_compared(command: CommandLine, tmp_path: Path):
    files = [tmp_path / f"{pid}.heap" for pid in (1, 2)]
    for pid, file in zip((1, 2), files, strict=True):
        write(heap(leaking(), meta={"python": "3.11.7", "births": True, "pid": pid}), file)
    code, out, err = command("diff", str(files[0]), str(files[1]))
    assert (code, out) == (2, "")
    assert "is of process 1, " in err and "`leakscan compare A B`" in err


def test_a_heap_of_javascript_is_not_compared_with_one_of_python(command: CommandLine, tmp_path: Path):
    drawing = Drawing()
    drawing.node("global", "object", "Object")
    drawing.edge("root", "shortcut", "global", "global")
    (tmp_path / "a.heapsnapshot").write_bytes(written(drawing.content()))
    write(heap(leaking(), meta={"python": "3.11.7", "births": True}), tmp_path / "b.heap")
    code, out, err = command("diff", str(tmp_path / "a.heapsnapshot"), str(tmp_path / "b.heap"))
    assert (code, out) == (2, "")
    assert "a heap of JavaScript" in err and "one of Python" in err


def test_the_address_of_the_source_must_have_a_place_for_the_file(
    command: CommandLine, leak: str, tmp_path: Path
):
    out = tmp_path / "r.html"
    code, _, err = command("report", leak, "-o", str(out), "--source-url", "javascript:x")
    assert (code, "is no address of a source file" in err, out.exists()) == (2, True, False)


def test_a_capture_that_was_interrupted_says_what_is_missing_and_answers(
    command: CommandLine, tmp_path: Path
):
    stopped = draw_capture(
        tmp_path / "stopped", runs=20, completed=12, status="interrupted", missing=["runs 13 to 20"]
    )
    code, out, _ = command("diff", str(stopped))
    assert (code, out.split("  ")[0], "warning: missing: runs 13 to 20" in out) == (0, "LEAK", True)


def test_a_capture_without_its_last_snapshot_tells_what_was_counted(command: CommandLine, tmp_path: Path):
    crashed = draw_capture(
        tmp_path / "crashed",
        completed=6,
        status="failed",
        missing=["runs 7 to 20", "after.heap: it stopped before the last snapshot"],
        error={
            "phase": "run",
            "run": 7,
            "type_name": "",
            "message": "the target was killed by SIGSEGV",
            "hint": "",
            "traceback": "",
        },
    )
    text = command.transcript("diff", str(crashed), hide=str(tmp_path))
    assert text == expected("cli/diff_crashed.txt", text)


def test_a_hostile_target_name_is_inert(command: CommandLine, tmp_path: Path):
    hostile = draw_capture(tmp_path / "hostile", target="app:\x1b[31mwork\u202e", before=BEFORE)
    _, out, _ = command("diff", str(hostile))
    assert [c for c in out if c != "\n" and not c.isprintable()] == []
