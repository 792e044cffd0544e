"""Libraries that stand before the C library's own functions, and need memory of theirs for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import leakscan

# Functions that the recording child still calls when all is written, and 4 MB of data that they read.
INTERPOSER = """
#include <stddef.h>
static volatile unsigned char table[4 << 20];
void *memchr(const void *text, int wanted, size_t length) {
    const unsigned char *at = text;
    for (size_t i = 0; i < length; i++)
        if (at[i] == (unsigned char)wanted + table[(i * 4096) % sizeof table]) return (void *)(at + i);
    return NULL;
}
"""
PROGRAM = """
import sys, leakscan
kept = [bytearray(2 << 20) for _ in range(5)]
leakscan.snapshot(sys.argv[1])
"""


def test_a_library_whose_data_go_with_the_heap_does_not_spoil_a_snapshot(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (tmp_path / "before.c").write_text(INTERPOSER)
    library = tmp_path / "before.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-fno-builtin", str(tmp_path / "before.c"), "-o", str(library)],
        check=True,
    )
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "x.heap")],
        env={**os.environ, "LD_PRELOAD": str(library)},
        check=True,
    )
    loaded = leakscan.load(tmp_path / "x.heap")
    assert "bytearray" in loaded.type_names
