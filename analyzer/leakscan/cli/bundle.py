"""`leakscan bundle`: the answers about a capture in one small file that can be shared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option
from leakscan.cli.redact import Redact, level_of

EXAMPLES = (
    "leakscan bundle leak/ -o leak.capsule",
    "leakscan bundle leak/ --redact names -o leak.capsule",
    "leakscan diff leak.capsule",
)


def bundle(
    snapshots: Annotated[
        list[Path], argument(metavar="DIR | BEFORE AFTER", help="A capture, or two snapshots.")
    ],
    output: Annotated[
        Path, option("--output", "-o", metavar="FILE", help="The capsule: JSON, at most 200 kB.")
    ] = Path("leak.capsule"),
    redact: Redact = "none",
    type_name: Annotated[
        str | None,
        option("--type", metavar="T", help="Only types whose qualified name ends with T."),
    ] = None,
) -> None:
    """Pack what was found into one small file to send to someone.

    diff, graph, report, check, compare, whatif and paths take it in place of DIR. It holds answers, not the
    heap, and says what was cut out.
    """
    from leakscan.answers.bundle import capsule_of
    from leakscan.errors import LeakscanError
    from leakscan.report.share.capsule import capsule_text
    from leakscan.wording import size_text

    level = level_of(redact)
    text = capsule_text(capsule_of(snapshots, type_name=type_name), level)
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise LeakscanError(f"cannot write {output}: {error.strerror}") from error
    print(f"{output}: {size_text(len(text))}, redacted: {level.value}")
