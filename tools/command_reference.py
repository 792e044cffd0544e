"""Writes the pages that are made from the commands themselves: reference, configuration, man page.

Usage: command_reference.py [--check]   (--check: exit 1 when a page is not what would be written)
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from functools import cache
from pathlib import Path

from leakscan import __version__
from leakscan.cli import COMMANDS
from leakscan.cli import main as run_command
from leakscan.cli.configuration import PLUGIN, Setting, settings_of
from leakscan.cli.tree import build_tree

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "reference" / "commands.md"
CONFIGURATION = DOCS / "reference" / "configuration.md"
MAN_PAGE = DOCS / "man" / "leakscan.1"
CONFIGURATION_HEAD = """# Configuration

Made from the options of the commands by `make docs`; do not edit.

What an option is without its flag can be set, weakest first:

1. in `[tool.leakscan]` of the nearest `pyproject.toml`, from the current folder upwards;
2. in environment variables;
3. by the flag itself, which always wins.

```toml
[tool.leakscan]
redact = "keys"             # for every command that has this option

[tool.leakscan.check]
runs = 30                   # for `leakscan check` only
budget = ["total=10kB"]     # options that may be repeated take a list
baseline = "known-leaks.toml"
```

A key that no command has is an error, with the nearest key. Variables are `LEAKSCAN_` and the key for every
command, `LEAKSCAN_COMMAND_` and the key for one; lists are separated by commas. A variable that looks like
one of these and is none is warned about. `NO_COLOR`, `FORCE_COLOR`, `TERM=dumb` and `COLUMNS` are obeyed;
`LEAKSCAN_DEBUG=1` shows where an internal error happened.

Shell completion: `eval "$(leakscan --show-completion bash)"` in `~/.bashrc`; `zsh` and `fish` as well.
"""
HEAD = """# Commands

Made from `leakscan COMMAND --help` by `make docs`; do not edit.

stdout is the answer; progress, warnings and errors go to stderr. Exit codes: 0 fine, 1 a check or a
comparison failed, 2 it could not run (`error:` and `hint:` say why), 130 interrupted.
"""


@cache
def help_text(*arguments: str) -> str:
    """`leakscan ARGUMENTS --help` at 80 columns."""
    os.environ.update(COLUMNS="80", NO_COLOR="1", TERM="dumb")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run_command([*arguments, "--help"])
    return printed.getvalue().strip()


def page() -> str:
    parts = [HEAD, f"```text\n{help_text()}\n```\n"]
    parts += [f"## leakscan {name}\n\n```text\n{help_text(name)}\n```\n" for name in COMMANDS]
    return "\n".join(parts)


def settings() -> list[Setting]:
    return settings_of(build_tree())


def configuration_page() -> str:
    parts = [CONFIGURATION_HEAD]
    for command in (*COMMANDS, PLUGIN):
        rows = [each for each in settings() if each.command == command]
        parts.append(f"## [tool.leakscan.{command}]\n\n| key | variable | without it | |\n|---|---|---|---|")
        parts[-1] += "".join(
            f"\n| `{each.key}` | `{each.variable}` | {_default(each)} | {each.help} |" for each in rows
        )
        parts[-1] += "\n"
    return "\n".join(parts)


def _default(setting: Setting) -> str:
    if setting.is_flag:
        return "`true`" if setting.default == "True" else "`false`"
    return f"`{setting.default}`" if setting.default else ""


def man_page() -> str:
    """roff of one page for all commands."""
    rows = [f'.TH LEAKSCAN 1 "" "leakscan {__version__}" "User Commands"', ".SH NAME"]
    rows += [
        "leakscan \\- what is still alive after N runs, since which run, and which one reference must go"
    ]
    rows += [".SH SYNOPSIS", ".B leakscan", "COMMAND [OPTIONS] [ARGUMENTS]", ".SH DESCRIPTION"]
    rows += [
        _roff("Exit codes: 0 fine, 1 a check or a comparison failed, 2 it could not run, 130 interrupted.")
    ]
    for name in COMMANDS:
        rows += [
            f'.SH "leakscan {name}"',
            ".nf",
            *(_roff(row) for row in help_text(name).splitlines()),
            ".fi",
        ]
    rows += [
        ".SH FILES",
        _roff("pyproject.toml: [tool.leakscan] holds defaults of options"),
        ".SH ENVIRONMENT",
    ]
    rows += [_roff("LEAKSCAN_*, NO_COLOR, FORCE_COLOR, TERM, COLUMNS")]
    return "\n".join(rows) + "\n"


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main(arguments: list[str]) -> int:
    pages = {PAGE: page(), CONFIGURATION: configuration_page(), MAN_PAGE: man_page()}
    if "--check" in arguments:
        return int(any(not path.exists() or path.read_text() != text for path, text in pages.items()))
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
