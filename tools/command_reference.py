"""Writes docs/reference/commands.md from the help texts of the commands themselves.

Usage: command_reference.py [--check]   (--check: exit 1 when the page is not what would be written)
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from leakscan.cli import COMMANDS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "commands.md"
HEAD = """# Commands

Made from `leakscan COMMAND --help` by `make docs`; do not edit.

stdout is the answer; progress, warnings and errors go to stderr. Exit codes: 0 fine, 1 a check or a
comparison failed, 2 it could not run (`error:` and `hint:` say why), 130 interrupted.
"""


def help_text(*arguments: str) -> str:
    """`leakscan ARGUMENTS --help` at 80 columns."""
    code = "import sys; from leakscan.cli import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"},
    )
    return result.stdout.strip()


def page() -> str:
    parts = [HEAD, f"```text\n{help_text()}\n```\n"]
    parts += [f"## leakscan {name}\n\n```text\n{help_text(name)}\n```\n" for name in COMMANDS]
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    text = page()
    if "--check" in arguments:
        return 0 if PAGE.exists() and PAGE.read_text() == text else 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
