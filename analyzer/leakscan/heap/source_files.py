"""Source files as a snapshot's program may have been made from, with what tells whether it was."""

from __future__ import annotations

import io
import os
import stat
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LONGEST_BYTES: Final = 2 << 20
"""A longer file is made by a program, and takes seconds to parse."""


@dataclass(frozen=True, slots=True)
class SourceText:
    """A file's text, when it was last written, and the `root_identity` it was read below."""

    text: str
    written_unix: float = 0.0
    root: str = ""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """Reads a file by the name that code objects give it; None when that is no file that can be read.

    Relative names are looked up in `folder`, where the program was started; without it they are not.
    """

    folder: Path | None = None

    def __call__(self, file: str) -> SourceText | None:
        if not file or file.startswith("<") or "\0" in file:
            return None
        path = Path(file)
        if not path.is_absolute():
            if self.folder is None:
                return None
            path = self.folder / path
        found = regular_file(path, most_bytes=_LONGEST_BYTES)
        text = None if found is None else decoded(found[0])
        return None if found is None or text is None else SourceText(text, found[1], root_identity())


def regular_file(path: Path, *, most_bytes: int) -> tuple[bytes, float] | None:
    """What is in the file, and when it was written; None when it is none that can be read, or larger.

    The name may come from a snapshot that anybody wrote: a pipe is not waited for, a device not read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most_bytes:
            return None
        with open(descriptor, "rb", closefd=False) as opened:
            return opened.read(most_bytes), found.st_mtime
    except OSError:
        return None
    finally:
        os.close(descriptor)


def decoded(content: bytes) -> str | None:
    """The text of a Python file in the encoding that it declares; None when it is not in it."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return None


def root_identity() -> str:
    """What names the file system that paths start from; another in a container. "" when it cannot be told."""
    try:
        found = os.stat("/")
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"
