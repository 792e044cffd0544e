"""Capsules: every view again without the heap, small, honest about what is missing, harmless to open."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import findings_samples as samples
from cli_runs import CommandLine, command
from drawn_captures import BEFORE, draw_capture, draw_modes, leaking
from leakscan.analysis.capsule import LARGEST_CAPSULE_BYTES, Capsule
from leakscan.answers.capsules import read_capsule
from leakscan.cli import main
from leakscan.errors import UsageError
from leakscan.heap.sniff import is_capsule
from leakscan.json_values import NotAnAnswer, as_plain, read_as
from leakscan.report.share.capsule import capsule_text

__all__ = ["command"]

# Two holders, so that there is more than one reference to switch.
LISTENED = "\n".join(
    [BEFORE, "ns -['bus']-> bus; bus -[.seen]-> seen; bus: app.Bus; seen: list"]
    + [f"seen -[{run}]-> out{run}" for run in range(1, 21)]
    + [leaking().removeprefix(BEFORE)]
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A drawn capture, and the capsule made of it."""
    folder = tmp_path_factory.mktemp("bundle")
    before = BEFORE + "\nns -['bus']-> bus; bus -[.seen]-> seen; bus: app.Bus; seen: list\n"
    leak = draw_capture(folder / "leak", before=before, after=LISTENED.replace("Workflow\n", "Workflow\n"))
    assert main(["bundle", str(leak), "-o", str(folder / "leak.capsule")]) == 0
    return leak, folder / "leak.capsule"


def without_remark(text: str) -> str:
    return "".join(line for line in text.splitlines(True) if "left out: the heap: only" not in line)


@pytest.mark.parametrize(
    "arguments",
    [["diff"], ["diff", "--json"], ["diff", "--paths"], ["graph"], ["check", "--format", "sarif"]],
)
def test_a_capsule_shows_what_the_capture_showed(command: CommandLine, made, arguments: list[str]):
    leak, capsule = made
    name, *options = arguments
    first, second = command(name, str(leak), *options), command(name, str(capsule), *options)
    if "--json" in options:
        shown = json.loads(second[1])
        shown["omitted"].remove("the heap: only the answers kept in the capsule can be shown")
        assert shown == json.loads(first[1])
    else:
        assert (first[0], first[1], first[2]) == (second[0], without_remark(second[1]), second[2])


def test_every_combination_of_cuts_is_answered_as_the_heap_answers(command: CommandLine, made):
    leak, capsule = made
    patterns = read_capsule(capsule).patterns
    assert len(patterns) > 1
    for count in range(1, len(patterns) + 1):
        for chosen in itertools.combinations(patterns, count):
            cuts = [word for pattern in chosen for word in ("--cut", pattern)]
            assert command("whatif", str(capsule), *cuts) == command("whatif", str(leak), *cuts)


@pytest.mark.parametrize("options", [[], ["--by", "type"]])
def test_what_the_snapshot_hangs_on_is_kept(command: CommandLine, made, options: list[str]):
    leak, capsule = made
    kept = command("top", str(capsule), *options)
    assert kept == command("top", str(leak), *options)


def test_a_tree_below_an_object_needs_the_heap(command: CommandLine, made):
    _, capsule = made
    code, _, err = command("top", str(capsule), "--depth", "4")
    assert (code, "--expand and --depth need the heap" in err) == (2, True)


def test_paths_to_a_leaking_type_are_kept(command: CommandLine, made):
    leak, capsule = made
    kept = command("paths", str(capsule), "--type", "app.Output")
    assert kept == command("paths", str(leak), "--type", "app.Output")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["whatif", "--cut", "Other[*]"], "kept are the answers for"),
        (["paths", "--type", "Other"], "kept are those to app.Output"),
        (["diff", "--type", "Output"], "leakscan diff"),
    ],
)
def test_what_the_capsule_does_not_hold_is_refused_with_what_it_holds(
    command: CommandLine, made, arguments: list[str], hint: str
):
    name, *options = arguments
    code, out, err = command(name, str(made[1]), *options)
    assert (code, out, "the heap" in err, hint in err) == (2, "", True, True)


@pytest.mark.parametrize("ending", ["html", "md"])
def test_a_report_of_a_capsule_says_what_was_cut_out(command: CommandLine, made, tmp_path: Path, ending: str):
    report = tmp_path / f"report.{ending}"
    assert command("report", str(made[1]), "-o", str(report))[0] == 0
    assert "the heap: only the answers kept in the capsule" in report.read_text()


def test_a_capture_of_several_modes_becomes_one_capsule(command: CommandLine, tmp_path: Path):
    modes = draw_modes(tmp_path / "modes", {"consume": leaking(), "abandon": leaking()})
    capsule = str(tmp_path / "modes.capsule")
    assert command("bundle", str(modes), "-o", capsule)[0] == 0
    assert "LEAK  in 2 of 2 modes: consume, abandon" in command("diff", capsule)[1]


def test_a_capsule_is_never_larger_than_its_limit_and_says_what_went():
    leaks = tuple(
        replace(samples.SPANS, signature=f"{number:08x}", evidence="x" * 900) for number in range(300)
    )
    text = capsule_text(Capsule((replace(samples.SEVERAL, leaks=leaks),), (), (), (), (), ()))
    assert len(text) <= LARGEST_CAPSULE_BYTES
    assert any("below the first" in said for said in json.loads(text)["cut_out"])


def test_findings_that_do_not_fit_at_all_are_refused():
    findings = replace(samples.CLEAN, warnings=tuple(f"{number} {'x' * 300}" for number in range(900)))
    with pytest.raises(UsageError):
        capsule_text(Capsule((findings,), (), (), (), (), ()))


@pytest.mark.parametrize("name", samples.ALL)
def test_findings_come_back_as_they_went(name: str):
    plain = json.loads(json.dumps(as_plain(samples.ALL[name])))
    assert read_as(type(samples.CLEAN), plain) == samples.ALL[name]


HOSTILE = [
    b"",
    b"{",
    b'{"format": "leakscan-capsule"}',
    b'{"format": "leakscan-capsule", "version": 1}',
    b'{"format": "leakscan-capsule", "version": 99}',
    b'{"format": "leakscan-capsule", "version": 1, "findings": {}}',
    b'{"format": "leakscan-capsule", "version": ' + b"9" * 5000 + b"}",
    b'{"format": "leakscan-capsule", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"format": "leakscan-capsule", "x": "\xff\xfe"}',
]


@pytest.mark.parametrize("content", HOSTILE)
def test_what_is_no_capsule_is_one_clear_error(command: CommandLine, tmp_path: Path, content: bytes):
    file = tmp_path / "x.capsule"
    file.write_bytes(content)
    code, out, err = command("diff", str(file))
    assert (code, out, err.count("error: "), "internal error" in err) == (2, "", 1, False)


def _places(value: object, place: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(inner for key, item in items for inner in _places(item, (*place, key)))]


JUNK = st.sampled_from(
    [
        None,
        True,
        -1,
        10**400,
        float("nan"),
        "x" * 10,
        [],
        {},
        [[]],
        {"a": 1},
        "<script>",
        "\ud800",
        1e308,
        "leak",
    ]
)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.data())
def test_a_capsule_changed_anywhere_is_read_or_refused_but_never_more(data: st.DataObject):
    document = json.loads(
        json.dumps(as_plain(Capsule((samples.SEVERAL,), (("cancel", "no"),), (), (), (), ("x",))))
    )
    place = data.draw(st.sampled_from(_places(document)[1:]))
    inside = document
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = data.draw(JUNK)
    try:
        capsule = read_as(Capsule, document)
    except NotAnAnswer:
        return
    assert isinstance(capsule_text(capsule), str)


def test_a_capsule_is_told_from_other_files(tmp_path: Path, made):
    snapshot = tmp_path / "x.heapsnapshot"
    snapshot.write_text('{"snapshot": {}}')
    assert (is_capsule(made[1]), is_capsule(snapshot), is_capsule(tmp_path)) == (True, False, False)
