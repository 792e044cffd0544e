"""Builds the C extension that some known programs need, with the compiler of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).parent / "known" / "extension" / "boxes.c"
BUILT = Path(__file__).parents[1] / "build" / "known" / "boxes.abi3.so"


def build_boxes() -> str:
    """Makes `boxes` importable from its folder, under every version; what is missing for it, or ""."""
    include = Path(sysconfig.get_path("include"))
    if BUILT.exists() and BUILT.stat().st_mtime > SOURCE.stat().st_mtime:
        return ""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return "there is no C compiler"
    if not (include / "Python.h").exists():
        return f"there is no {include}/Python.h"
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    partial = BUILT.with_suffix(".partial")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", f"-I{include}", str(SOURCE), "-o", str(partial)], check=True
    )
    partial.replace(BUILT)
    return ""
