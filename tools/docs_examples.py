"""Runs the examples of the documentation and compares what they print with what the page says.

Usage: docs_examples.py [--write] PAGE...

In a ```console block each line that starts with `$ ` is a command; the lines up to the next one are what it
prints (stdout and stderr, in an empty folder per page, 80 columns wide, no colour). `--write` puts what was
printed into the page. A block after the comment `<!-- not run: why -->` is left alone. Sizes, times,
percentages, fractions and numbers above 999 are compared by their place only: they differ between machines.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?P<before><!-- not run: [^\n]*-->\n+)?```console\n(?P<body>.*?)```\n", re.DOTALL)
MEASURED = re.compile(r"[-+]?\d[\d,.]*\s?(?P<unit>(?:[kKMG]i?)?B|ms|s|%)(?![A-Za-z])")
# Counts of strings, dicts and the like depend on the version of the interpreter and of its libraries.
LARGE = re.compile(r"[-+]?\d{1,3}(?: \d{3})+|[-+]?\d+\.\d+|(?<![\w.])[-+]?\d{3}(?![\w.])")


@dataclass(frozen=True, slots=True)
class Example:
    command: str
    output: str


def examples(body: str) -> list[Example]:
    """The commands of one block with the output that the page claims."""
    parts = re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]
    return [Example(*part.split("\n", 1)) if "\n" in part else Example(part, "") for part in parts]


def run(command: str, folder: Path) -> str:
    """What `command` prints in `folder`, where `leakscan` and the fixtures can be found."""
    environment = {
        **os.environ,
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "analyzer"), str(folder / "fixtures")]),
    }
    result = subprocess.run(
        command,
        check=False,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    return result.stdout


def comparable(output: str) -> list[str]:
    masked = (LARGE.sub("N", MEASURED.sub(r"N \g<unit>", line)) for line in output.splitlines())
    return [re.sub(r"\s+", " ", line).strip() for line in masked]


def refresh(page: Path) -> tuple[str, list[str]]:
    """The page with the output its examples really have, and the differences as text."""
    text = page.read_text()
    differences: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fixtures").symlink_to(ROOT / "fixtures")

        def replaced(block: re.Match[str]) -> str:
            if block["before"] or not examples(block["body"]):
                return block[0]
            lines = []
            for example in examples(block["body"]):
                printed = run(example.command, Path(folder))
                if comparable(printed) != comparable(example.output):
                    diff = difflib.unified_diff(
                        example.output.splitlines(), printed.splitlines(), "page", "printed", lineterm="", n=1
                    )
                    differences.append(f"{page.name}: $ {example.command}\n" + "\n".join(diff))
                lines.append(f"$ {example.command}\n{printed}")
            return "```console\n" + "".join(lines) + "```\n"

        return BLOCK.sub(replaced, text), differences


def main(arguments: list[str]) -> int:
    write = "--write" in arguments
    wrong = []
    for name in arguments:
        if name == "--write":
            continue
        page = Path(name)
        text, differences = refresh(page)
        wrong += differences
        if write:
            page.write_text(text)
    for difference in wrong:
        print(difference)
    return 1 if wrong and not write else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
