"""Every example of the README and the docs prints what the page says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "```console\n$" in page.read_text()
)


@pytest.mark.parametrize("page", PAGES)
def test_examples_print_what_the_page_says(page):
    command = [sys.executable, str(ROOT / "tools" / "docs_examples.py"), str(ROOT / page)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("", "")


def test_the_tables_of_queries_are_described_as_they_are():
    command = [sys.executable, str(ROOT / "tools" / "query_tables.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "run tools/query_tables.py"


def test_the_command_reference_is_what_the_commands_say():
    command = [sys.executable, str(ROOT / "tools" / "command_reference.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "run `make docs`"
