"""A borrowed thread goes on as if nothing had been: its registers, its signals and its system calls."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from attach_targets import Program, needs_attach, needs_program, started, status
from leakscan.capture.process.borrow import Call, NotNow, borrow, candidates
from leakscan.capture.process.memory_map import Memory, mappings_of
from leakscan.capture.process.python_inside import find_c_library

pytestmark = [needs_attach(), needs_program("cc")]

# Its sums and steps stay in vector registers, where a called function would overwrite them.
SUMS = r"""
#include <stdio.h>
#include <unistd.h>
int main(void) {
    long wrong = 0, rounds = 0;
    char line[9];
    puts("ready"); fflush(stdout);
    for (volatile int go = 1; go; rounds++) {
        double a = 0, b = 0, c = 0;
        for (long i = 0; i < 2000000; i++) { a += 1; b += 2; c += 3; }
        wrong += a != 2000000 || b != 4000000 || c != 6000000;
        go = access("stop", F_OK) != 0;
    }
    printf("%ld wrong of %d\n", wrong, rounds > 5); fflush(stdout);
    fgets(line, 9, stdin);
}
"""
# Writes over every vector register, and counts that it was there.
CLOBBERS = r"""
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void) {
    __asm__ volatile("pxor %%xmm0,%%xmm0; movaps %%xmm0,%%xmm1; movaps %%xmm0,%%xmm2; movaps %%xmm0,%%xmm3;"
                     "movaps %%xmm0,%%xmm4; movaps %%xmm0,%%xmm5; movaps %%xmm0,%%xmm6; movaps %%xmm0,%%xmm7"
                     ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
    int fd = open("loaded", O_WRONLY | O_CREAT | O_APPEND, 0600);
    write(fd, "x", 1);
    close(fd);
}
"""


@pytest.fixture
def built(tmp_path: Path) -> Path:
    for name, text, flags in [("sums", SUMS, []), ("clobbers", CLOBBERS, ["-shared", "-fPIC"])]:
        (tmp_path / f"{name}.c").write_text(text)
        subprocess.run(
            ["cc", "-O1", *flags, f"{name}.c", "-o", name], cwd=tmp_path, check=True, capture_output=True
        )
    return tmp_path


def borrow_once(target: Program, memory: Memory, library: Path) -> bool:
    mappings = mappings_of(target.pid)
    libc = find_c_library(target.pid, mappings, memory)
    code = next(m for m in mappings if m.file == "sums" and "x" in m.permissions)
    call = Call(
        libc.open_library, str(library).encode(), libc.open_flags, libc.sigreturn, ((code.start, code.end),)
    )
    for thread in candidates(target.pid):
        try:
            borrow(target.pid, thread, memory, [m for m in mappings if "w" in m.permissions], call)
            return True
        except NotNow:
            continue
    return False


def test_vector_registers_are_what_they_were(built: Path):
    with started([str(built / "sums")], cwd=built) as target:
        assert target.line() == "ready"
        memory = Memory(target.pid)
        borrowed = 0
        until = time.monotonic() + 30
        while borrowed < 10 and time.monotonic() < until:
            # Each under another name, or it would not be opened again.
            library = built / f"{borrowed}.so"
            library.write_bytes((built / "clobbers").read_bytes())
            before = loaded(built)
            if borrow_once(target, memory, library):
                borrowed += 1
                while loaded(built) == before:
                    time.sleep(0.001)
        memory.close()
        (built / "stop").touch()
        assert (borrowed, target.line(), status(target.pid)["TracerPid"]) == (10, "0 wrong of 1", "0")


def loaded(folder: Path) -> int:
    return (folder / "loaded").stat().st_size if (folder / "loaded").exists() else 0
