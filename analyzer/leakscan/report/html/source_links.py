"""Places in the source as addresses of a repository, when the project says where that is."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

from leakscan.errors import UsageError


def source_link(template: str, file: str, line: int) -> str:
    """The address of `file:line` by a template such as `https://host/blob/main/{file}#L{line}`.

    "" without a template, and for a file outside of the project: what the report names by its full path.
    """
    if not template or not file or "\\" in file:
        return ""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or ":" in file or file.startswith("<"):
        return ""
    return template.replace("{file}", quote(file)).replace("{line}", str(line or 1))


def checked_template(text: str) -> str:
    """`text`, when it is an address with a place for the file. UsageError: it is none."""
    if not text.startswith(("https://", "http://")) or "{file}" not in text:
        raise UsageError(
            f"{text!r} is no address of a source file",
            hint="like 'https://example.org/app/blob/main/{file}#L{line}'",
        )
    return text
