"""Findings in a notebook: through IPython's own formatters, and in a notebook that nbclient runs."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

import findings_samples as samples
import leakscan
from drawn_captures import draw_capture
from leakscan.report.html.notebook import Shown


def test_findings_of_a_capture_are_shown_as_tables_and_a_picture(tmp_path: Path):
    shown = leakscan.diff(draw_capture(tmp_path / "leak"))
    formatters = pytest.importorskip("IPython.core.formatters", reason="needs IPython")
    formats, _ = formatters.DisplayFormatter().format(shown)
    html = formats["text/html"]
    assert formats["text/plain"].startswith("LEAK  20 Output survive 20 runs")
    assert (html.count("<table>"), html.count("<svg "), "<script" in html) == (2, 1, False)


def test_the_html_is_one_well_formed_element():
    html = Shown(samples.SEVERAL)._repr_html_()
    assert ElementTree.fromstring(html).tag == "div"


def test_what_is_left_out_is_counted():
    html = Shown(samples.SEVERAL)._repr_html_()
    assert "more types grew" in html


def test_the_findings_themselves_are_there_too(tmp_path: Path):
    assert leakscan.diff(str(draw_capture(tmp_path / "leak"))).findings.leaks[0].count == 20


def test_a_notebook_runs(tmp_path: Path):
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient, nbformat and ipykernel")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    folder = draw_capture(tmp_path / "leak")
    cell = nbformat.v4.new_code_cell(f"import leakscan\nleakscan.diff({os.fspath(folder)!r})")
    book = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    shown = book.cells[0].outputs[0]["data"]
    assert sorted(shown) == ["text/html", "text/plain"]
