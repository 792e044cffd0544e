"""Commands made from signatures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, command_of, option


@dataclass(frozen=True)
class Asked:
    target: Annotated[str, argument(help="What.")]
    runs: Annotated[int, option("--runs", "-n", help="How often.")] = 20
    output: Annotated[Path, option(help="Where.")] = Path("leak")
    cut: Annotated[list[str] | None, option(help="Again and again.")] = None


def test_a_dataclass_stands_for_its_fields():
    seen: list[Asked] = []

    def command(asked: Asked) -> int:
        """Do it."""
        seen.append(asked)
        return 3

    made = command_of(command, ["command x"])
    code = made.main(["x", "-n", "4", "--cut", "a", "--cut", "b"], standalone_mode=False)
    assert (code, seen) == (3, [Asked("x", 4, Path("leak"), ["a", "b"])])
