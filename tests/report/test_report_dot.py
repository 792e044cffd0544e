from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import findings_samples as samples
from leakscan.analysis.results.findings import Path as RetentionPath
from leakscan.analysis.results.findings import Step
from leakscan.errors import UsageError
from leakscan.report.pictures.dot import findings_dot, quoted
from leakscan.report.pictures.graphviz import PictureError, picture, write_graph
from snapshots import expected

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.mark.parametrize("name", samples.ALL)
def test_the_graph_is_drawn_as_agreed(name: str):
    dot = findings_dot(samples.ALL[name])
    assert dot == expected(f"report_dot/{name}.dot", dot)


def test_both_paths_to_a_leak_end_at_one_box():
    dot = findings_dot(samples.TWO_HOLDERS)
    survivor = next(row.split()[0] for row in dot.splitlines() if "20 x ModelOutput" in row)
    assert dot.count(f"-> {survivor} [label") == 2


def with_objects(path: RetentionPath, *numbers: int) -> RetentionPath:
    steps = (replace(step, object=number) for step, number in zip(path.steps, numbers, strict=True))
    return replace(path, steps=tuple(steps))


def test_an_object_on_two_paths_is_drawn_once_and_so_is_the_reference_to_cut():
    main = with_objects(samples.WORKFLOW_PATH, 1, 2, 3, 4)
    local = replace(main, root="thread MainThread", root_kind="thread")
    leak = replace(samples.MODEL_OUTPUT, path=main, also_held_by=(local,))
    dot = findings_dot(replace(samples.TWO_HOLDERS, leaks=(leak,)))
    assert (dot.count('label="Workflow\\n'), dot.count("['run-*']")) == (1, 1)


def test_a_survivor_on_the_path_of_another_leak_is_the_same_box():
    inner = replace(
        samples.LAZY_PATTERN,
        signature="00000002",
        path=with_objects(
            RetentionPath(
                samples.WORKFLOW_PATH.root,
                "module",
                (
                    *(replace(step, is_survivor=False) for step in samples.WORKFLOW_PATH.steps),
                    Step(".pattern", "attribute", "re.Pattern", is_survivor=True, is_new=True),
                ),
            ),
            1,
            2,
            3,
            4,
            5,
        ),
    )
    outer = replace(
        samples.MODEL_OUTPUT, path=with_objects(samples.WORKFLOW_PATH, 1, 2, 3, 4), also_held_by=()
    )
    dot = findings_dot(replace(samples.TWO_HOLDERS, leaks=(outer, inner)))
    assert sum("ModelOutput" in row and "label=" in row for row in dot.splitlines()) == 2  # title and box


def test_what_hangs_on_one_object_in_many_places_is_read_from_left_to_right():
    leaks = tuple(
        replace(
            samples.MODEL_OUTPUT,
            signature=f"{number:08x}",
            path=with_objects(samples.WORKFLOW_PATH, 1, *(number * 10 + at for at in range(3))),
            also_held_by=(),
        )
        for number in range(1, 21)
    )
    assert "rankdir=LR" in findings_dot(replace(samples.TWO_HOLDERS, leaks=leaks), limit=0)
    assert "rankdir=TB" in findings_dot(samples.TWO_HOLDERS)


def test_a_common_beginning_is_drawn_once():
    steps = samples.WORKFLOW_PATH.steps
    other = RetentionPath(
        samples.WORKFLOW_PATH.root, "module", (steps[0], replace(steps[1], reference="._done"), *steps[2:])
    )
    leak = replace(samples.MODEL_OUTPUT, also_held_by=(other,))
    dot = findings_dot(replace(samples.TWO_HOLDERS, leaks=(leak,)))
    assert dot.count('label="Workflow\\n') == 1


def test_the_reference_to_cut_says_so_in_words():
    assert dot_labels(findings_dot(samples.TWO_HOLDERS), "cut: ") == ["cut: ['run-*']", "cut: [*]"]


def test_leaks_that_are_not_drawn_are_counted():
    assert "3 more leaks: --limit 0 draws all" in findings_dot(samples.SEVERAL, limit=1)


def test_quotes_backslashes_entities_and_controls_are_inert_in_a_label():
    assert quoted('a"b\\l&lt;\x1b') == '"a\\"b\\\\l&amp;lt;\\\\x1b"'


def test_dot_text_needs_no_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    write_graph("digraph {}\n", tmp_path / "leak.dot")
    assert (tmp_path / "leak.dot").read_text() == "digraph {}\n"


def test_a_picture_without_graphviz_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PictureError) as caught:
        write_graph("digraph {}\n", tmp_path / "leak.svg")
    assert "apt install graphviz" in caught.value.hint


def test_an_unknown_ending_says_which_there_are(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        write_graph("digraph {}\n", tmp_path / "leak.txt")
    assert caught.value.hint == "end the file's name with .dot, .svg, .png or .pdf"


@needs_dot
@pytest.mark.parametrize("name", samples.ALL)
def test_graphviz_draws_it(name: str):
    assert picture(findings_dot(samples.ALL[name]), "svg").rstrip().endswith(b"</svg>")


@needs_dot
def test_markup_in_a_name_stays_text_in_the_picture():
    assert b"<script" not in picture(findings_dot(samples.HOSTILE_NAMES), "svg")


def dot_labels(dot: str, start: str) -> list[str]:
    labels = [row.split('label="')[1].split('"')[0].strip() for row in dot.splitlines() if 'label="' in row]
    return [label for label in labels if label.startswith(start)]
