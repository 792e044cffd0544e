"""Turns DOT text into a picture with Graphviz's `dot`.

A plain subprocess: the `graphviz` package on the index does the same and would be one more dependency.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from leakscan.errors import LeakscanError, UsageError

PICTURES: Final = ("svg", "png", "pdf")
_LONGEST_LAYOUT_SECONDS: Final = 60.0
_HOW_TO_GET: Final = (
    "`apt install graphviz` or `brew install graphviz` gives it; .dot and .svg can be written without it"
)


class PictureError(LeakscanError):
    """Graphviz is not there, or did not make the picture."""


def write_graph(dot: str, path: Path) -> None:
    """Write the graph to `path`; its ending says how: .dot, .svg, .png or .pdf (these need Graphviz).

    Raises UsageError for another ending, PictureError when there is no picture.
    """
    ending = path.suffix.lower().lstrip(".")
    if ending in ("dot", "gv"):
        written = dot.encode("utf-8")
    elif ending in PICTURES:
        written = picture(dot, ending)
    else:
        raise UsageError(
            f"cannot tell from {path.name!r} what to draw",
            hint="end the file's name with .dot, .svg, .png or .pdf",
        )
    _write(path, written)


def write_picture(svg: str, path: Path) -> None:
    """Write a picture that was drawn without Graphviz."""
    _write(path, svg.encode("utf-8"))


def has_graphviz() -> bool:
    return shutil.which("dot") is not None


def _write(path: Path, written: bytes) -> None:
    try:
        path.write_bytes(written)
    except OSError as error:
        raise PictureError(f"cannot write {path}: {error.strerror}") from error


def picture(dot: str, kind: str) -> bytes:
    """The graph laid out by Graphviz as `kind`, one of PICTURES."""
    program = shutil.which("dot")
    if program is None:
        raise PictureError(f"drawing .{kind} needs Graphviz's `dot`, which is not on PATH", hint=_HOW_TO_GET)
    try:
        result = subprocess.run(
            [program, f"-T{kind}"],
            input=dot.encode("utf-8"),
            capture_output=True,
            timeout=_LONGEST_LAYOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PictureError(
            f"Graphviz needed more than {_LONGEST_LAYOUT_SECONDS:.0f} seconds for the layout",
            hint="draw fewer leaks with --limit",
        ) from None
    if result.returncode or not result.stdout:
        said = result.stderr.decode("utf-8", "replace").strip().splitlines()[:1]
        raise PictureError(f"Graphviz failed: {said[0] if said else f'exit code {result.returncode}'}")
    return result.stdout
