"""The table of CPython's private offsets, against the headers of the interpreter that runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import leakscan
from leakscan import _native
from walks import walk

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "analyzer" / "native" / "cpython" / "layout_table.h"


def row(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"\.(\w+) = (-?\d+)", text)}


def rows() -> dict[str, dict[str, int]]:
    parts = re.split(r"inline constexpr Layout k(3\d\d) = ", TABLE.read_text())[1:]
    return {name: row(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def test_there_is_a_row_for_each_supported_version() -> None:
    assert {name: offsets["minor"] for name, offsets in rows().items()} == {
        "311": 11,
        "312": 12,
        "313": 13,
        "314": 14,
        "315": 15,
    }


def test_this_interpreter_is_supported() -> None:
    assert _native.support() == (True, "")


def test_nothing_of_the_layout_had_to_be_given_up() -> None:
    assert walk().heap.warnings == ()


def test_the_row_of_this_version_agrees_with_its_headers(tmp_path: Path) -> None:
    include = Path(sysconfig.get_path("include"))
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not (include / "internal" / "pycore_frame.h").exists():
        pytest.skip("needs a C compiler and the headers of this Python")
    program = tmp_path / "offsets"
    source = ROOT / "tools" / "layout_offsets.c"
    built = subprocess.run(
        [compiler, "-w", f"-I{include}", f"-I{include / 'internal'}", "-o", program, source],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        pytest.skip(f"the headers do not compile: {built.stderr.splitlines()[0]}")
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert row(printed) == rows()[f"3{sys.version_info.minor}"]


MOVED = r"""
#include "cpython/debug_offsets_table.h"
#include "cpython/layout_table.h"
#include <cstdio>
#include <vector>
using namespace record;
int main() {
    std::vector<char> runtime(4096);
    std::memcpy(runtime.data(), kDebugCookie, 8);
    for (const DebugOffset& each : kDebug313) {
        const auto value = static_cast<std::uint64_t>(k313.*each.field);
        std::memcpy(runtime.data() + each.at, &value, 8);
    }
    const auto print = [](const DebugOffset& each) { std::puts(each.name); };
    for_each_moved(runtime.data(), kDebug313, k313, print);
    std::puts("and one moved:");
    Layout other = k313;
    other.code_qualname += 8;
    for_each_moved(runtime.data(), kDebug313, other, print);
    runtime[0] = 0;
    for_each_moved(runtime.data(), kDebug313, other, print);
}
"""


def test_a_field_that_moves_within_an_equal_size_is_named(tmp_path: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    (tmp_path / "moved.cpp").write_text(MOVED)
    include, native = sysconfig.get_path("include"), ROOT / "analyzer" / "native"
    flags = ["-std=c++20", "-w", f"-I{include}", f"-I{native}", "-o", tmp_path / "moved"]
    subprocess.run([compiler, *flags, tmp_path / "moved.cpp"], check=True)
    printed = subprocess.run([tmp_path / "moved"], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["and one moved:", "code_object.qualname"]


def test_every_list_of_the_collector_is_found() -> None:
    import gc

    tracked = {id(thing) for thing in gc.get_objects()}
    here = walk()
    addresses = {int(address) for address in here.heap.addresses}
    # what was freed since, or belongs to this test alone
    assert len(tracked - addresses) < 50


def test_the_version_is_in_the_snapshot() -> None:
    meta = walk().heap.meta
    assert (meta["python"], meta["leakscan"], meta["runtime"]) == (
        ".".join(map(str, sys.version_info[:3])),
        leakscan.__version__,
        "cpython",
    )
