from __future__ import annotations

import io
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

import findings_samples as samples
from leakscan.analysis.results.findings import Findings, Path, Step, Writer
from leakscan.answers.relative import relative_to
from leakscan.report.html.page import html_report
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain, shortened_name, shortened_place
from leakscan.report.text.tables import births_line, runs_per_column
from leakscan.report.text.terminal import Screen, screen_of, write
from snapshots import expected


def text_of(findings: Findings, **options: object) -> str:
    return plain(findings_text(findings, TextOptions(**options)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", samples.ALL)
def test_the_report_reads_as_agreed(name: str):
    text = text_of(samples.ALL[name])
    assert text == expected(f"report_text/{name}.txt", text)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", samples.ALL)
def test_no_line_is_longer_than_the_screen(name: str, width: int):
    text = text_of(samples.ALL[name], screen=Screen(width), limit=0, all_paths=True)
    assert [row for row in text.splitlines() if len(row) > width] == []


def test_the_headline_stays_on_one_line_in_a_pipe():
    text = text_of(samples.SEVERAL, screen=Screen(80, wraps_headline=False))
    assert text.splitlines()[0] == samples.SEVERAL.headline


@pytest.mark.parametrize("name", samples.ALL)
def test_nothing_printed_can_move_the_cursor_or_reorder_text(name: str):
    text = text_of(samples.ALL[name], limit=0, all_paths=True)
    assert [c for c in text if c != "\n" and not c.isprintable()] == []


def test_what_a_limit_hides_is_counted():
    text = text_of(samples.SEVERAL, limit=1)
    assert [row.strip() for row in text.splitlines() if "--limit 0" in row] == [
        "3 more leaks: --limit 0 shows all",
        "17 more types: --limit 0 shows all",
    ]


def test_no_limit_hides_nothing():
    assert "--limit" not in text_of(samples.SEVERAL, limit=0)


def test_steps_that_repeat_are_counted_and_can_be_unfolded():
    folded, whole = (text_of(samples.SEVERAL, all_paths=unfolded) for unfolded in (False, True))
    assert ("the same 39 more times" in folded, whole.count("- .parent: Span")) == (True, 40)


def test_the_middle_of_a_long_path_is_counted():
    steps = tuple(Step(f".step{number}", "attribute", f"app.T{number}") for number in range(100))
    leak = replace(samples.MODEL_OUTPUT, path=Path("module app", "module", steps))
    assert "... 85 more steps: --paths shows all" in text_of(replace(samples.TWO_HOLDERS, leaks=(leak,)))


def test_two_types_with_one_short_name_are_told_apart():
    leaks = tuple(replace(samples.EVERY_FIFTH, type_name=name, name="") for name in ("a.Node", "b.Node"))
    text = text_of(replace(samples.SEVERAL, leaks=leaks, growth=()))
    assert [name in text for name in ("4 a.Node", "4 b.Node")] == [True, True]


def test_garbage_whose_bytes_were_not_counted_has_none():
    text = text_of(replace(samples.CLEAN, garbage_count=12))
    assert "garbage: 12 objects only waited for the garbage collector: not a leak\n" in text
    text = text_of(replace(samples.CLEAN, garbage_count=12, garbage_bytes_per_run=5_000))
    assert "garbage: 12 objects (5.00 kB after the last run) only waited" in text


def test_files_below_the_directory_are_written_without_it():
    found = relative_to(samples.SEVERAL, PurePosixPath("fixtures"))
    assert [leak.holder.file for leak in found.leaks if leak.holder] == [
        "streamlab/workflow.py",
        "",
        "shop/registry.py",
    ]


def test_births_have_one_character_a_run_up_to_twenty_runs():
    assert births_line((1, 0, 2)) == "#.#"


def test_more_runs_share_a_character_that_says_whether_all_or_some_had_births():
    births = (1,) * 20 + (0, 1) * 5 + (0,) * 10
    assert births_line(births, bin_size=runs_per_column(40)) == "##########+++++....."


def test_names_lose_their_middle_never_the_class():
    assert shortened_name("company.package.module.ClassName", 22) == "company...ClassName"


def test_no_more_of_a_name_goes_than_must():
    name = "company.product.area.module.ClassName"
    assert shortened_name(name, 30) == "company...module.ClassName"
    assert all(len(shortened_name(name, width)) <= width for width in range(6, 50))


def test_places_lose_outer_folders_never_the_file():
    assert shortened_place("/home/someone/project/shop/web.py:12", 18) == ".../shop/web.py:12"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "has_colour"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (io.StringIO(), {"TERM": "xterm"}, False),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "0"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    stream: io.StringIO, environment: dict[str, str], has_colour: bool
):
    assert screen_of(stream, environment).has_colour is has_colour


def test_colour_changes_no_word():
    import re

    lines = findings_text(samples.SEVERAL, TextOptions())
    coloured = io.StringIO()
    write(lines, coloured, Screen(has_colour=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured.getvalue()) == plain(lines)


def test_a_stream_without_unicode_gets_escapes_instead_of_an_error():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write(findings_text(replace(samples.CLEAN, headline="NO LEAK  é"), TextOptions()), stream, Screen())
    stream.flush()
    assert raw.getvalue().splitlines()[0] == b"NO LEAK  \\xe9"


def test_the_line_that_makes_one_object_grow_is_told_though_no_slot_holds_new_ones():
    writer = Writer("State.text", "app/state.py", 7, "State.add", 3, 3)
    grows = replace(samples.MODEL_OUTPUT, count=1, growth_bytes=9, slots=(), written_by=(writer,))
    text = text_of(replace(samples.TWO_HOLDERS, leaks=(grows,)))
    assert "written by  app/state.py:7  State.add  (3 of 3)" in text


def test_a_line_that_several_tasks_have_run_is_told_once():
    one = Writer("Bus.handlers[*]", "app/bus.py", 7, "Bus.on", 4, 6, task="join")
    other = replace(one, count=2, task="")
    leak = replace(samples.MODEL_OUTPUT, slots=("Bus.handlers[*]",), written_by=(one, other))
    found = replace(samples.TWO_HOLDERS, leaks=(leak,))
    assert text_of(found).count("app/bus.py:7  Bus.on  (6 of 6)") == 1
    assert html_report(found).count("Bus.on (6 of 6)") == 1
