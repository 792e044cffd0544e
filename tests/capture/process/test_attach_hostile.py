"""A target that lies: whatever it sends, leakscan ends with one sentence and writes nothing else."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attach_targets import needs_attach, needs_program, needs_root, running, snapshot_of
from leakscan.capture.process.agent import Agent, TookTooLong, parse_answer
from leakscan.capture.process.answered import check_whole
from leakscan.capture.process.attach import Attachment
from leakscan.capture.process.memory_map import Memory, mappings_of
from leakscan.capture.process.symbols import Image, NotAnImage
from leakscan.errors import AttachError, LeakscanError


@given(st.binary(max_size=600))
def test_any_line_is_some_answer(line: bytes):
    answer = parse_answer(line)
    values = answer.number("code"), answer.seconds("pause_seconds"), answer.text("reason")
    assert [type(value) for value in values] == [int, float, str]


@contextlib.contextmanager
def talk(answers: bytes, heap: bytes) -> Iterator[Agent]:
    """An agent whose other end says this, then nothing more."""
    pipes = [os.pipe() for _ in range(3)]
    (_, orders), (answers_in, answers_out), (heap_in, heap_out) = pipes
    for descriptor in (answers_in, heap_in, orders):
        os.set_blocking(descriptor, False)
    handle = os.pidfd_open(os.getpid())

    def send(descriptor: int, block: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            while block:
                block = block[os.write(descriptor, block) :]

    senders = [
        threading.Thread(target=send, args=(answers_out, answers)),
        threading.Thread(target=send, args=(heap_out, heap)),
    ]
    for sender in senders:
        sender.start()
    try:
        yield Agent(orders=orders, answers=answers_in, heap=heap_in, handle=handle)
    finally:
        os.close(answers_in)
        os.close(heap_in)
        for sender in senders:
            sender.join()
        for descriptor in (handle, orders, pipes[0][0], answers_out, heap_out):
            os.close(descriptor)


def test_an_order_is_one_line_of_any_bytes():
    with talk(b"", b"") as agent:
        agent.order("guard folder=/no text \udcff")
        with pytest.raises(AttachError, match="one line"):
            agent.order("guard folder=/a\ndisarm")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=9000))
def test_noise_instead_of_answers_ends_in_a_sentence_or_in_time(noise: bytes):
    with talk(noise, b"") as agent, contextlib.suppress(TookTooLong, LeakscanError):
        agent.answer("hello", until=time.monotonic())


def test_what_comes_with_the_answer_is_all_written():
    block = random.Random(1).randbytes(3_000_000)
    into = io.BytesIO()
    with talk(b"", block) as agent, contextlib.suppress(TookTooLong):
        agent.receive(into, most_bytes=1 << 30, stall_seconds=0.3)
    assert into.getvalue() == block


def test_more_than_a_heap_can_be_is_refused():
    into = io.BytesIO()
    with (
        talk(b"", bytes(4_000_000)) as agent,
        pytest.raises(AttachError, match="more than a heap of its size"),
    ):
        agent.receive(into, most_bytes=2_000_000, stall_seconds=5)
    assert len(into.getvalue()) <= 2_000_000


def test_bytes_that_are_no_snapshot_are_not_kept(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"LEAKSCAN" + bytes(5000))
    with pytest.raises(AttachError, match="what process 7 sent is not a snapshot"):
        check_whole(7, tmp_path / "x")


class Drawn(Memory):
    """Memory that holds one block at one place."""

    def __init__(self, start: int, block: bytes) -> None:
        self._start, self._block = start, block

    def _some(self, address: int, size: int) -> bytes:
        at = address - self._start
        if not 0 <= at < len(self._block) or size < 0:
            raise OSError("not mapped")
        return self._block[at : at + size]


def own_c_library() -> tuple[int, bytes]:
    head = next(m for m in mappings_of(os.getpid()) if m.offset == 0 and m.file.startswith("libc.so"))
    size = max(m.end for m in mappings_of(os.getpid()) if m.path == head.path) - head.start
    return head.start, os.pread(os.open("/proc/self/mem", os.O_RDONLY), size, head.start)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_damaged_library_is_read_to_an_end():
    start, block = own_c_library()
    dice = random.Random(7)
    heads = block[: 1 << 16]
    for _ in range(300):
        damaged = bytearray(heads)
        for _ in range(dice.choice((1, 4, 64))):
            at = dice.choice((dice.randrange(0x40), dice.randrange(0x400), dice.randrange(len(damaged) - 8)))
            struct.pack_into(
                "<Q", damaged, at, dice.choice((0, 1, 2**32 - 1, 2**63, 2**64 - 1, dice.getrandbits(64)))
            )
        with contextlib.suppress(NotAnImage, OSError):
            image = Image(Drawn(start, bytes(damaged) + block[1 << 16 :]), mapping_at(start))
            image.symbol("dlopen")
            image.versions()


def mapping_at(start: int):
    return next(m for m in mappings_of(os.getpid()) if m.start == start)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_symbols_are_where_the_loader_finds_them():
    import ctypes

    head = next(m for m in mappings_of(os.getpid()) if m.offset == 0 and m.file.startswith("libc.so"))
    memory = Memory(os.getpid())
    names = ("malloc", "open", "getpid", "fopen", "qsort")
    image = Image(memory, head)
    libc = ctypes.CDLL("libc.so.6")
    found = [symbol.address if (symbol := image.symbol(name)) else 0 for name in names]
    memory.close()
    assert found == [ctypes.cast(getattr(libc, name), ctypes.c_void_p).value for name in names]


@needs_attach()
@needs_root()
def test_links_in_a_targets_file_system_are_not_followed(tmp_path: Path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    outside.chmod(0o1777)
    (root / "tmp").symlink_to(outside)
    program = f"os.chroot({str(root)!r}); os.chdir('/')\nprint('ready'); sys.stdin.readline()"
    with running(program) as target, pytest.raises(AttachError, match="cannot make a private folder"):
        Attachment(target.pid).__enter__()
    assert list(outside.iterdir()) == []


@needs_attach()
@needs_root()
def test_a_target_in_another_root_is_recorded(tmp_path: Path):
    (tmp_path / "tmp").mkdir()
    program = f"os.chroot({str(tmp_path)!r}); os.chdir('/')\nprint('ready'); sys.stdin.readline()"
    with running(program) as target:
        found = snapshot_of(target.pid, tmp_path / "x.heap")["dict"] > 100
    assert (found, list((tmp_path / "tmp").iterdir())) == (True, [])


@needs_attach()
@needs_root()
@needs_program("unshare")
def test_a_container_is_attached_to_by_its_number_on_the_host(tmp_path: Path):
    if subprocess.run(
        ["unshare", "-mpf", "--mount-proc", "true"], check=False, capture_output=True
    ).returncode:
        pytest.skip("no namespaces may be made here")
    program = (
        "import os, sys; print('ready', flush=True); print(os.getpid(), sys.stdin.readline(), flush=True)"
    )
    # Another /tmp than ours, and the interpreter itself: a virtual environment below /tmp only points to it.
    interpreter = os.path.realpath(sys.executable)
    if Path(interpreter).is_relative_to("/tmp"):
        pytest.skip("the interpreter lies below the /tmp that is to be another one")
    script = 'mount -t tmpfs none /tmp && exec "$0" -c "$1"'
    shell = ["unshare", "-mpf", "--mount-proc", "sh", "-c", script, interpreter, program]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as outer:
        assert outer.stdin is not None and outer.stdout is not None
        assert outer.stdout.readline() == "ready\n"
        inner = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
        assert snapshot_of(inner, tmp_path / "x.heap")["dict"] > 100
        outer.stdin.write("go\n")
        outer.stdin.close()
        assert outer.stdout.read().startswith("1 go")


@needs_attach()
@needs_root()
def test_as_root_another_users_process_is_recorded(tmp_path: Path):
    program = """
        os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
        print('ready')
        sys.stdin.readline()
    """
    with running(program) as target:
        assert snapshot_of(target.pid, tmp_path / "x.heap")["dict"] > 100
        assert (tmp_path / "x.heap").stat().st_uid == os.geteuid()
