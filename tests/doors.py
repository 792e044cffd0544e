"""Good and hostile calls of every function of the extension module.

Run by test_native_doors.py and `make sanitize` as a program, since a fault ends the process:
doors.py good | SEED CALLS. Each call is first written into the file named by DOORS_TRACE.
"""

from __future__ import annotations

import contextvars
import fcntl
import itertools
import os
import random
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from leakscan import _native

U32, U64, U16, U8 = "I", "Q", "H", "B"
NONE = 0xFFFFFFFF
ALLOWED = (
    TypeError,
    ValueError,  # and UnicodeError
    BufferError,
    OverflowError,
    OSError,
    IndexError,
    RuntimeError,
    MemoryError,
)
"""What a door may raise; anything else, and above all a fault, is a bug."""


class Graph:
    """A random graph in the form the kernels take."""

    def __init__(self, rng: random.Random) -> None:
        self.n = rng.randrange(7)
        degrees = [rng.randrange(4) if self.n else 0 for _ in range(self.n)]
        self.m = sum(degrees)
        self.first = array(U64, [sum(degrees[:i]) for i in range(self.n + 1)])
        self.targets = array(U32, [rng.randrange(self.n) for _ in range(self.m)])
        self.some = array(U32, rng.sample(range(self.n), rng.randrange(self.n + 1)))


def out(code: str, length: int) -> array[int]:
    return array(code, bytes(array(code).itemsize * length))


def mask(rng: random.Random, length: int) -> array[int] | None:
    return array(U8, rng.choices((0, 1), k=length)) if rng.random() < 0.7 else None


def numbers(rng: random.Random, code: str, length: int, below: int) -> array[int]:
    return array(code, [rng.randrange(below) for _ in range(length)])


def snapshot_file() -> int:
    return os.open(SCRATCH / "x.heap", os.O_RDWR | os.O_CREAT, 0o600)


def ended_child() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return child


V8_LAYOUT = (7, 0, 1, 2, 3, 4, 6, 3, 0, 1, 2, 4, 0, 1, 2, 3, 14, 7, 2, 0b10010)
V8_TEXT = b"""{"snapshot":{"meta":{},"node_count":2,"edge_count":1},
"nodes":[9,0,1,0,1,0,0, 3,1,3,16,0,0,0],"edges":[1,0,7],"locations":[7,1,2,3],
"strings":["","a\\u00e9\\ud83d\\ude00"]}"""


def v8_scanner(rng: random.Random) -> object:
    nodes, edges = rng.choice(((2, 1), (0, 0), (5, 9)))
    codes = (U8, U32, U64, U64, U32, U8)
    arrays = (*(out(code, nodes) for code in codes), *(out(code, edges) for code in (U8, U32, U32)))
    scanner = _native.v8_open(V8_LAYOUT, arrays)
    for _ in range(rng.randrange(3)):
        _native.v8_feed(scanner, v8_text(rng))
    return scanner


def v8_text(rng: random.Random) -> bytes:
    text = bytearray(V8_TEXT)
    for _ in range(rng.choice((0, 0, 1, 3))):
        text[rng.randrange(len(text))] = rng.choice(b'0123456789[]{},:"\\e-.\xff')
    return bytes(text[: rng.choice((len(text), rng.randrange(len(text))))])


def v8_taking(rng: random.Random) -> list[object]:
    scanner = v8_scanner(rng)
    texts, size, places = _native.v8_finish(scanner)[4:]
    return [scanner, out(U8, size), out(U64, texts), out(U32, 4 * places)]


def v8_strings(rng: random.Random, count: int) -> tuple[array[int], array[int]]:
    words = [
        rng.choice((b"", b"table", b"7", b"3 / part of key (x) pair in WeakMap (table @5)"))
        for _ in range(count)
    ]
    return array(U8, b"".join(words)), array(U64, itertools.accumulate(map(len, words)))


def v8_graph(rng: random.Random, g: Graph) -> list[object]:
    strings = 6
    graph = (
        numbers(rng, U8, g.n, 6),
        numbers(rng, U8, g.n, 2),
        numbers(rng, U32, g.n, strings),
        numbers(rng, U64, g.n, 9),
        numbers(rng, U64, g.n, 200),
        g.first,
        numbers(rng, U8, g.m, 7),
        numbers(rng, U32, g.m, strings),
        g.targets,
    )
    labels = (numbers(rng, U32, strings, strings) for _ in range(2))
    rules = (numbers(rng, U8, strings, 22), *labels, *v8_strings(rng, strings))
    references = (out(U64, g.n + 1), out(U8, g.m), out(U32, g.m), out(U32, g.m))
    return [graph, rules, (1, 2, NONE, 4, 5, 0, 3, 0, strings), references]


Call = Callable[[random.Random, Graph], list[object]]

WORK: contextvars.ContextVar[int] = contextvars.ContextVar("work", default=0)

DOORS: dict[str, Call] = {
    "support": lambda rng, g: [],
    "snapshot_start": lambda rng, g: [snapshot_file(), b"{}", "/nowhere/", rng.choice((0, 1, 2, 3))],
    "snapshot_wait": lambda rng, g: [ended_child(), 10.0],
    "births_arm": lambda rng, g: [rng.choice((8, 16)), rng.random() < 0.5, "/nowhere/"],
    "births_set": lambda rng, g: [rng.choice((0, 1, 252, 0xFFFD, 0xFFFE))],
    "births_boundary": lambda rng, g: [rng.choice((0, 1, 252, 0xFFFD, 0xFFFE))],
    "births_disarm": lambda rng, g: [],
    "births_of": lambda rng, g: [rng.choice((g, 1, None, len, Graph, [], "x"))],
    "births_at": lambda rng, g: [array("Q", [id(g), rng.getrandbits(64), 0, 1 << 47])],
    "births_site": lambda rng, g: [rng.randrange(3)],
    "births_stats": lambda rng, g: [],
    "births_living": lambda rng, g: [rng.choice((0, 1, 7, 0xFFFE, 1 << 40))],
    "births_usage": lambda rng, g: [],
    "works_open": lambda rng, g: [WORK],
    "works_number": lambda rng, g: [rng.choice(("GET /", "é" * 70, "", chr(0xD800), str(rng.random())))],
    "works_begin": lambda rng, g: [rng.choice((1, 2, 65_001, 1))],
    "works_changed": lambda rng, g: [],
    "works_recorded": lambda rng, g: [],
    "works_of": lambda rng, g: [rng.choice((g, 1, None, len, Graph, [], "x"))],
    "malloc_figures": lambda rng, g: [],
    "malloc_in_use": lambda rng, g: [],
    "malloc_owner": lambda rng, g: [],
    "malloc_trim": lambda rng, g: [],
    "guard_start": lambda rng, g: [
        tempfile.gettempdir() + "/boxes",
        0,
        85,
        1e3,
        rng.random() < 0.5,
        False,
        0.0,
    ],
    "guard_stop": lambda rng, g: [],
    "guard_box": lambda rng, g: [],
    "guard_room": lambda rng, g: [rng.choice(("/proc", "/nowhere", "", "/proc/" + "x" * rng.randrange(500)))],
    "pool_figures": lambda rng, g: [rng.choice((0, os.getpid()))],
    "map_figures": lambda rng, g: [rng.choice((0, os.getpid(), os.getppid()))],
    "scan_chunks": lambda rng, g: [snapshot_file(), rng.randrange(200)],
    "read_chunk": lambda rng, g: [snapshot_file(), 16, out(U8, rng.randrange(100))],
    "first_not_monotone": lambda rng, g: [g.first, g.m],
    "first_not_below": lambda rng, g: [g.targets, g.n, None if rng.random() < 0.5 else NONE],
    "first_unknown_kind": lambda rng, g: [numbers(rng, U8, 9, 22)],
    "first_bad_label": lambda rng, g: [numbers(rng, U8, 9, 22), numbers(rng, U32, 9, 5), 5],
    "prefix_sum": lambda rng, g: [g.targets, out(U64, g.m + 1)],
    "v8_open": lambda rng, g: [
        V8_LAYOUT,
        (*(out(code, g.n) for code in (U8, U32, U64, U64, U32, U8)), *(out(c, g.m) for c in (U8, U32, U32))),
    ],
    "v8_feed": lambda rng, g: [v8_scanner(rng), v8_text(rng)],
    "v8_finish": lambda rng, g: [v8_scanner(rng)],
    "v8_take": lambda rng, g: v8_taking(rng),
    "v8_find_strings": lambda rng, g: [*v8_strings(rng, 5), ("table", "tab*", "7")],
    "v8_move_sizes": lambda rng, g: [
        g.first,
        numbers(rng, U8, g.m, 7),
        g.targets,
        numbers(rng, U8, g.n, 6),
        out(U32, g.n),
        numbers(rng, U64, g.n, 99),
    ],
    "v8_build": v8_graph,
    "reverse_csr": lambda rng, g: [g.first, g.targets, out(U64, g.n + 1), out(U32, g.m), out(U32, g.m)],
    "shortest_paths": lambda rng, g: [
        g.first,
        g.targets,
        numbers(rng, U16, g.m, 9) if rng.random() < 0.5 else None,
        g.some,
        numbers(rng, U32, len(g.some), 9) if rng.random() < 0.5 else None,
        mask(rng, g.n),
        *(out(U32, g.n) for _ in range(3)),
    ],
    "components": lambda rng, g: [g.first, g.targets, mask(rng, g.m), mask(rng, g.n), out(U32, g.n)],
    "dominators": lambda rng, g: [
        g.first,
        g.targets,
        mask(rng, g.m),
        g.some,
        out(U32, g.n),
        out(U32, g.n),
    ],
    "retained_sizes": lambda rng, g: [
        array(U32, [g.n] * g.n),
        g.some,
        numbers(rng, rng.choice((U32, U64)), g.n, 99),
        out(U64, g.n + 1),
    ],
    "reachable": lambda rng, g: [g.first, g.targets, mask(rng, g.m), g.some, mask(rng, g.n), out(U8, g.n)],
    "owners": lambda rng, g: [
        g.first,
        g.targets,
        mask(rng, g.m),
        g.some,
        numbers(rng, U32, g.n, 3),
        out(U32, g.n),
    ],
    "count_in_references": lambda rng, g: [g.targets, mask(rng, g.m), out(U32, g.n)],
    "collector_reachability": lambda rng, g: [
        g.first,
        g.targets,
        mask(rng, g.m),
        numbers(rng, U32, g.n, 9),
        g.some,
        mask(rng, len(g.some)),
        out(U32, g.n),
        out(U8, g.n),
    ],
    # Without references each object is a component of its own, in any order.
    "holding_sets": lambda rng, g: [
        array(U64, [0] * (g.n + 1)),
        array(U32),
        array(U32, range(g.n)),
        g.n,
        array(U32, range(g.n)),
        numbers(rng, U32, g.n, 3),
        3,
        1000,
        out(U32, g.n),
        out(U64, 8),
        out(U32, 32),
    ],
    "masked_strings": lambda rng, g: [
        array(U8, b"password=hunter2 token=abcdefghijkl"),
        array(U64, [17, 35]),
        mask(rng, 2),
    ],
    "masked_text": lambda rng, g: [array(U8, b"api_key=0123456789abcdef")],
    "census": lambda rng, g: [
        numbers(rng, U32, g.n, 4),
        numbers(rng, rng.choice((U32, U64)), g.n, 99),
        mask(rng, g.n),
        out(U64, 4),
        out(U64, 4),
    ],
    "min_cut": lambda rng, g: [
        g.first,
        g.targets,
        mask(rng, g.m),
        numbers(rng, U32, g.m, 3),
        array(U32, rng.choices(range(1, 9), k=3)),
        g.some[: len(g.some) // 2],
        g.some[len(g.some) // 2 :],
        rng.random() < 0.5,
        out(U8, 3),
    ],
}


def doors() -> list[str]:
    return sorted(name for name in dir(_native) if callable(getattr(_native, name)) and name[0] != "_")


class Hostile:
    """Raises wherever a door could call into it."""

    def __index__(self) -> int:
        raise ValueError("no index")

    def __bool__(self) -> bool:
        raise ValueError("no truth")

    def __len__(self) -> int:
        raise ValueError("no length")


def strange_values(rng: random.Random) -> list[object]:
    return [
        None,
        True,
        -1,
        0,
        2**31 - 1,
        2**31,
        2**32 - 1,
        2**63,
        2**64 - 1,
        2**64,
        -(2**63) - 1,
        0.5,
        float("nan"),
        float("inf"),
        "",
        "a\0b",
        "\udc80",
        b"",
        b"\xff" * 7,
        bytearray(3),
        [],
        (),
        {},
        object(),
        Hostile(),
        len,
        array("d", [0.5]),
        array("I"),
        array("Q", [2**64 - 1] * 3),
        array("I", [NONE] * 5),
        memoryview(bytearray(24))[::2],
        memoryview(bytes(16)),
        memoryview(bytearray(33))[1:],
    ]


def damaged(rng: random.Random, arguments: list[object]) -> list[object]:
    """The same call with one or two things wrong."""
    changed = list(arguments)
    for _ in range(rng.choice((1, 1, 2))):
        kind = rng.randrange(8)
        if kind == 0 or not changed:
            changed = rng.choice((changed[:-1], [*changed, None], []))
            continue
        i = rng.randrange(len(changed))
        value = changed[i]
        if isinstance(value, tuple) and kind > 1:
            changed[i] = tuple(damaged(rng, list(value)))
        elif not isinstance(value, array) or kind < 3:
            changed[i] = rng.choice(strange_values(rng))
        elif kind == 3:
            changed[i] = value[:-1] if value and rng.random() < 0.5 else value + array(value.typecode, [0])
        elif kind == 4:
            changed[i] = memoryview(bytes(value))
        elif kind == 5:
            changed[i] = array(rng.choice("BHIQbhiqdf"), [0] * len(value))
        elif kind == 6 and value and value.typecode in "BHIQ":
            value = value[:]
            value[rng.randrange(len(value))] = (
                rng.choice((0, 1, 7, 255)) if value.itemsize == 1 else 2**16 - 1
            )
            changed[i] = value
        else:
            changed[i] = rng.choice(changed)
    return changed


def calls(rng: random.Random, count: int) -> Iterator[tuple[str, list[object]]]:
    names = list(DOORS)
    # forks and full collections are slow, so they come less often
    weights = [
        1 if name.startswith(("snapshot", "births_boundary", "births_usage")) else 20 for name in names
    ]
    for name in rng.choices(names, weights, k=count):
        arguments = DOORS[name](rng, Graph(rng))
        yield name, arguments if rng.random() < 0.2 else damaged(rng, arguments)


def is_dangerous(name: str, arguments: list[object]) -> bool:
    """Were the check of the pid missing, this would end every process of the user."""
    return name == "snapshot_wait" and any(isinstance(value, int) and value <= 1 for value in arguments)


def call(name: str, arguments: list[object]) -> None:
    if is_dangerous(name, arguments):
        return
    if name == "snapshot_wait" and arguments[1:] and not isinstance(arguments[1], float):
        arguments = [arguments[0], 0.0, *arguments[2:]]
    try:
        result = getattr(_native, name)(*arguments)
    except ALLOWED:
        return
    if name == "snapshot_start" and isinstance(result, int):
        _native.snapshot_wait(result, 30.0)


def trace_file() -> int:
    """Holds the last call; beyond the descriptors that are closed now and then."""
    opened = os.open(os.environ.get("DOORS_TRACE", os.devnull), os.O_WRONLY | os.O_CREAT, 0o600)
    return fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 300)


def close_files() -> None:
    for descriptor in range(3, 256):
        try:
            os.close(descriptor)
        except OSError:
            continue


def good() -> None:
    """Each door answers a call in order; those left out depend on what was called before."""
    for name, make in DOORS.items():
        if name in ("births_set", "births_boundary", "births_site", "scan_chunks", "read_chunk"):
            continue
        for seed in range(10):
            rng = random.Random(seed)
            getattr(_native, name)(*make(rng, Graph(rng)))


def main(seed: int, count: int) -> None:
    rng = random.Random(seed)
    trace = trace_file()
    for number, (name, arguments) in enumerate(calls(rng, count)):
        os.pwrite(trace, f"{name}(*{arguments!r})".encode(errors="replace")[:4096].ljust(4096), 0)
        call(name, arguments)
        if number % 100 == 99:
            close_files()


SCRATCH = Path(tempfile.mkdtemp(prefix="leakscan-doors-")) if __name__ == "__main__" else Path()

if __name__ == "__main__":
    if sys.argv[1] == "good":
        good()
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
