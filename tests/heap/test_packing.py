"""A snapshot is compressed while it arrives, and says as much as it did."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import leakscan
from attach_targets import needs_attach, running
from leakscan.capture.directory.reader import read_capture
from leakscan.capture.process.attach import Attachment
from leakscan.capture.process.attached import AttachedCapture
from leakscan.errors import AttachError, SnapshotError
from leakscan.heap.packing import Packing
from leakscan.heap.reader import load


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    # Of a process of its own: that of the tests has ten times as many objects, and all are packed many times.
    path = tmp_path_factory.mktemp("raw") / "raw.heap"
    code = "import sys, leakscan; leakscan.snapshot(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    return path.read_bytes()


def packed(raw: bytes, pieces: int = 1 << 16) -> bytes:
    out = io.BytesIO()
    packing = Packing(out)
    for start in range(0, len(raw), pieces):
        packing.write(raw[start : start + pieces])
    packing.close()
    return out.getvalue()


@pytest.mark.parametrize("pieces", [997, 1 << 16, 1 << 30])
def test_it_is_the_same_heap_in_whatever_pieces_it_comes(raw: bytes, pieces: int, tmp_path: Path):
    (tmp_path / "raw.heap").write_bytes(raw)
    (tmp_path / "packed.heap").write_bytes(packed(raw, pieces))
    before, after = load(tmp_path / "raw.heap"), load(tmp_path / "packed.heap")
    for column in ("addresses", "type_ids", "ref_targets", "ref_kinds", "ref_labels", "births", "sizes"):
        assert np.array_equal(getattr(before, column), getattr(after, column)), column
    assert (before.meta, before.warnings) == (after.meta, after.warnings)


def test_it_takes_at_most_fifteen_bytes_an_object(raw: bytes, tmp_path: Path):
    (tmp_path / "packed.heap").write_bytes(packed(raw))
    assert len(packed(raw)) <= 15 * len(load(tmp_path / "packed.heap").type_ids)


def test_what_is_damaged_on_the_way_is_still_refused(raw: bytes, tmp_path: Path):
    """A checksum made anew would hide it."""
    dice = random.Random(14)
    for _ in range(40):
        damaged = bytearray(raw)
        at = dice.randrange(len(damaged))
        damaged[at] ^= 1 << dice.randrange(8)
        (tmp_path / "x.heap").write_bytes(packed(bytes(damaged)))
        with pytest.raises(SnapshotError):
            leakscan.diff(tmp_path / "x.heap", tmp_path / "x.heap")


def test_what_ends_early_is_still_refused(raw: bytes, tmp_path: Path):
    (tmp_path / "x.heap").write_bytes(packed(raw[: len(raw) // 2]))
    with pytest.raises(SnapshotError):
        load(tmp_path / "x.heap")


def test_what_is_no_snapshot_is_passed_on_as_it_is():
    for text in (b"", b"LEAKSCAN", b"no snapshot at all, but long enough for a header" * 10):
        assert packed(text, 7) == text


@needs_attach()
def test_what_attach_writes_is_small(tmp_path: Path):
    with running("kept = [{i: str(i)} for i in range(20000)]\nprint('ready')\ninput()") as target:
        with Attachment(target.pid) as attached:
            taken = attached.snapshot(tmp_path / "x.heap")
        assert taken.bytes == (tmp_path / "x.heap").stat().st_size
        assert taken.bytes <= 15 * len(load(tmp_path / "x.heap").type_ids)


@needs_attach()
def test_a_series_that_the_disk_has_no_room_for_is_not_begun(tmp_path: Path):
    with running("print('ready')\ninput()") as target, Attachment(target.pid) as attached:
        capture = AttachedCapture(tmp_path / "leak", attached, overwrite=False)
        taken = capture.take(attached, redact_keys=False)
        assert capture.check_disk(6) == 6 * taken.bytes
        with pytest.raises(AttachError, match=r"1000000000 more snapshots of .* need .*; .*leak has .* left"):
            capture.check_disk(10**9)
    assert read_capture(tmp_path / "leak").status == "failed"
