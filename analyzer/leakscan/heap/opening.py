"""Opens a file, a pipe or a file object so that it can be read at any offset."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import tempfile
import zlib
from typing import BinaryIO, Final

from leakscan.errors import SnapshotError
from leakscan.heap.sniff import printable

_BEGINNING_BYTES: Final = 256


def opened(source: str | os.PathLike[str] | BinaryIO) -> tuple[BinaryIO, str]:
    """A seekable file with a descriptor, and the name to show for it."""
    if not isinstance(source, str | os.PathLike):
        name = getattr(source, "name", "")
        return spooled(source), printable(name) if isinstance(name, str) and name else "<snapshot>"
    name = printable(source)
    try:
        file = open(source, "rb")  # noqa: SIM115 (open for as long as columns are still to be read)
    except IsADirectoryError as error:
        raise SnapshotError(
            f"{name}: is a directory", hint="name one .heap file in it, or give a capture directory to `diff`"
        ) from error
    except FileNotFoundError as error:
        raise SnapshotError(f"{name}: no such file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SnapshotError(f"{name}: cannot be read: {reason}") from error
    return (file, name) if file.seekable() else (spooled(file), name)


def spooled(file: BinaryIO | gzip.GzipFile) -> BinaryIO:
    """`file` itself when it can be read at any offset, else a temporary copy of what it still gives."""
    try:
        if not isinstance(file, gzip.GzipFile) and os.lseek(file.fileno(), 0, os.SEEK_CUR) >= 0:
            return file
    except (OSError, AttributeError):
        pass  # a BytesIO has no descriptor, a pipe has no offsets: both are copied
    try:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 (as above)
        shutil.copyfileobj(file, copy)
        copy.flush()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SnapshotError(f"cannot be decompressed: {error}", hint="copy the file again") from error
    except OSError as error:
        hint = "free some space or set TMPDIR" if error.errno == errno.ENOSPC else ""
        raise SnapshotError(f"cannot keep a copy of the stream: {error.strerror}", hint=hint) from error
    return copy


def beginning(file: BinaryIO | gzip.GzipFile, name: str) -> bytes:
    """The first bytes of `file`, which is left at its beginning; b"" for a damaged gzip file."""
    try:
        file.seek(0)
        return file.read(_BEGINNING_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""
    except OSError as error:
        raise SnapshotError(f"{name}: cannot be read: {error.strerror or error}") from error
