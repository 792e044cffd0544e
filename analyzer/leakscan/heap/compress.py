"""Makes a snapshot file smaller without reading it as a heap."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from leakscan.errors import SnapshotError
from leakscan.heap.chunks import ChunkFile
from leakscan.heap.sniff import printable
from leakscan.heap.writer import ChunkStream


def compress(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Rewrites the snapshot at `path` with compressed chunks; its size in bytes before and after.

    Chunk by chunk, so memory does not grow with the heap. The file is replaced in one step: on any error it
    is left as it was. A compressed file may be compressed again, to no effect. SnapshotError as in `load`.
    """
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    name = printable(path)
    try:
        with open(target, "rb") as file, open(partial, "wb") as out:
            before = os.fstat(file.fileno()).st_size
            _recode(ChunkFile(file, name), ChunkStream(out, compress=True))
            after = out.tell()
        os.replace(partial, target)
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else ""
        raise SnapshotError(f"{name}: cannot be compressed: {error.strerror}", hint=hint) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    return before, after


def _recode(chunks: ChunkFile, stream: ChunkStream) -> None:
    for chunk in chunks.in_file_order():
        stream.payload(chunk.name, chunk.dtype, chunk.items, chunks.payload(chunk).tobytes())
