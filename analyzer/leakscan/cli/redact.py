"""The option `--redact`, the same in every command that writes what is to be shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from leakscan.cli.parameters import option
from leakscan.errors import UsageError

if TYPE_CHECKING:
    from leakscan.report.share.redaction import Redaction

Redact = Annotated[
    str,
    option("--redact", metavar="none|keys|names", help="Take out dict keys, or all names but the library's."),
]


def level_of(text: str) -> Redaction:
    """The level that `text` names. UsageError when there is none."""
    from leakscan.report.share.redaction import Redaction

    try:
        return Redaction(text)
    except ValueError:
        raise UsageError(f"no redaction {text!r}", hint="none, keys or names") from None
