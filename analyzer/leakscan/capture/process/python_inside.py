"""Find the CPython inside a process, and what is needed to call into its C library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leakscan.capture.interpreter import NEWEST, OLDEST
from leakscan.capture.process.borrow import SIGRETURN_CODE
from leakscan.capture.process.memory_map import Mapping, Memory
from leakscan.capture.process.symbols import Image, NotAnImage
from leakscan.errors import AttachError, UnsupportedInterpreter

_UNSAFE_FILES: Final = (
    "ld-", "ld.so", "libc.", "libc-", "libpthread", "libdl.", "libdl-", "librt.", "libgcc_s", "libstdc++",
    "libc++", "libunwind", "libasan", "libtsan", "libubsan", "liblsan", "libjemalloc", "libtcmalloc",
    "libmimalloc", "_memray", "leakscan-agent", "_native.",
)  # fmt: skip
_X86_64: Final = 62
_LIBC_NAMES: Final = ("libc.so.6", "libc-2.")
_OPEN_NOW: Final = 2
_OPEN_INTERNAL: Final = 0x80000000
"""Asked for by glibc's own entry, which programs without libdl had before 2.34."""
_RECORDS: Final = f"leakscan records CPython {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"


@dataclass(frozen=True, slots=True)
class Python:
    """`code` is where its machine code lies; (0, 0) where malloc() is among it."""

    version: tuple[int, int, int]
    code: tuple[int, int]

    @property
    def text(self) -> str:
        return ".".join(map(str, self.version))


@dataclass(frozen=True, slots=True)
class CLibrary:
    """The C library of the target: addresses of what is called there, and the symbol versions it has."""

    open_library: int
    open_flags: int
    sigreturn: int
    versions: frozenset[str]


def find_python(pid: int, mappings: list[Mapping], memory: Memory) -> Python:
    """UnsupportedInterpreter: not a CPython that can be recorded; AttachError: no Python at all."""
    seen = None
    for mapping in _by_likelihood(mappings):
        try:
            image = Image(memory, mapping)
            if image.symbol("PyGILState_Ensure") is None:
                continue
            seen = mapping
            return _identified(pid, image, memory, _code_of(mapping, mappings))
        except (NotAnImage, OSError):
            continue
    if seen is not None:
        raise AttachError(f"the Python in process {pid} could not be read", hint="is it just ending?")
    if any("libpypy" in mapping.file for mapping in mappings):
        raise UnsupportedInterpreter(f"process {pid} runs PyPy", hint=_RECORDS)
    program = next((m.path for m in mappings if m.path.startswith("/")), "")
    if "python" in program.rpartition("/")[2]:
        raise UnsupportedInterpreter(
            f"process {pid} runs {program}, which exports none of Python's functions",
            hint="a build without its dynamic symbols cannot be attached to; use `leakscan capture`",
        )
    hint = "give the process that runs the interpreter, not its shell or its supervisor: `ps -ef --forest`"
    if program.rpartition("/")[2].startswith("node"):
        hint = (
            "Node writes its own: start it with --heapsnapshot-signal=SIGUSR2, and `leakscan diff` the files"
        )
    raise AttachError(f"process {pid} is not a Python process ({program or 'no program file'})", hint=hint)


def find_c_library(pid: int, mappings: list[Mapping], memory: Memory) -> CLibrary:
    """How to open a library in the process. UnsupportedInterpreter: its C library is not glibc."""
    if any("ld-musl" in mapping.file for mapping in mappings):
        raise UnsupportedInterpreter(
            f"process {pid} uses musl (Alpine), where leakscan cannot be loaded",
            hint="run the program on a glibc image (python:3.12-slim), or use `leakscan capture` there",
        )
    images = []
    for mapping in mappings:
        if mapping.offset == 0 and (
            mapping.file.startswith(_LIBC_NAMES) or mapping.file.startswith("libdl.so")
        ):
            try:
                images.append((mapping, Image(memory, mapping)))
            except (NotAnImage, OSError):
                continue
    libc = next((pair for pair in images if pair[0].file.startswith(_LIBC_NAMES)), None)
    if libc is None:
        raise UnsupportedInterpreter(
            f"process {pid} does not use the GNU C library as a shared library",
            hint="statically linked programs cannot be attached to",
        )
    if libc[1].machine != _X86_64:
        raise UnsupportedInterpreter(
            f"process {pid} is not an x86-64 process", hint="attaching by ptrace works on x86-64 only"
        )
    for _, image in images:
        if opener := image.symbol("dlopen"):
            return CLibrary(
                opener.address, _OPEN_NOW, _sigreturn(pid, libc[0], mappings, memory), _versions(libc[1])
            )
    if opener := libc[1].symbol("__libc_dlopen_mode"):
        flags = _OPEN_NOW | _OPEN_INTERNAL
        return CLibrary(opener.address, flags, _sigreturn(pid, libc[0], mappings, memory), _versions(libc[1]))
    raise UnsupportedInterpreter(f"the C library of process {pid} has no dlopen()")


def other_code(mappings: list[Mapping], memory: Memory) -> tuple[tuple[int, int], ...]:
    """Code of libraries that a thread may be borrowed in while it computes there: BLAS, a codec, a driver.

    Not where the loader or an allocator may be at work, or code that either of them calls: the C library's
    own files, the compiler's runtimes (the unwinder walks the loader's list with its lock held), and whatever
    defines malloc().
    """
    safe: dict[str, bool] = {}
    found = []
    for mapping in mappings:
        if mapping.offset == 0 and mapping.path.startswith("/") and mapping.path not in safe:
            safe[mapping.path] = not mapping.file.startswith(_UNSAFE_FILES) and _has_no_malloc(
                memory, mapping
            )
        if "x" in mapping.permissions and safe.get(mapping.path):
            found.append((mapping.start, mapping.end))
    return tuple(found)


def _has_no_malloc(memory: Memory, head: Mapping) -> bool:
    try:
        image = Image(memory, head)
        return all(image.symbol(name) is None for name in ("malloc", "calloc", "dlopen"))
    except (NotAnImage, OSError):
        return False


def _identified(pid: int, image: Image, memory: Memory, code: tuple[int, int]) -> Python:
    version_at = image.symbol("Py_Version")  # since 3.11
    number = memory.number(version_at.address, 4) if version_at else 0
    version = (number >> 24 & 255, number >> 16 & 255, number >> 8 & 255)
    if not OLDEST <= version[:2] <= NEWEST:
        what = "CPython " + ".".join(map(str, version)) if number else "a CPython older than 3.11"
        raise UnsupportedInterpreter(f"process {pid} runs {what}", hint=_RECORDS)
    if image.symbol("_Py_MergeZeroLocalRefcount") is not None:
        raise UnsupportedInterpreter(
            f"process {pid} runs a free-threaded build of CPython {version[0]}.{version[1]}",
            hint="leakscan records builds with the interpreter's lock",
        )
    return Python(version, (0, 0) if image.symbol("malloc") else code)


def _code_of(head: Mapping, mappings: list[Mapping]) -> tuple[int, int]:
    for mapping in mappings:
        if mapping.path == head.path and mapping.start >= head.start and "x" in mapping.permissions:
            return mapping.start, mapping.end
    return 0, 0


def _by_likelihood(mappings: list[Mapping]) -> Iterator[Mapping]:
    heads = {m.path: m for m in reversed(mappings) if m.offset == 0 and m.path.startswith("/")}
    program = next((m.path for m in mappings if m.path.startswith("/")), "")
    yield from sorted(
        heads.values(), key=lambda m: (not m.file.startswith("libpython"), m.path != program, m.start)
    )


def _sigreturn(pid: int, libc: Mapping, mappings: list[Mapping], memory: Memory) -> int:
    for mapping in mappings:
        if mapping.path == libc.path and "x" in mapping.permissions:
            at = memory.read(mapping.start, mapping.end - mapping.start).find(SIGRETURN_CODE)
            if at >= 0:
                return mapping.start + at
    raise UnsupportedInterpreter(f"the C library of process {pid} returns from signals in an unknown way")


def _versions(libc: Image) -> frozenset[str]:
    return frozenset(libc.versions())
