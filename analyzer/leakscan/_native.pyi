"""The extension module. Buffers in, buffers out; see the contract comment of each function in C++.

Arguments typed Buffer must be C-contiguous with the item size named beside them (u8, u16, u32, u64).
ValueError: an index out of range or arrays of different lengths; TypeError: a wrong item size.
"""

from typing import Any, TypeAlias, TypedDict

import numpy.typing as npt
from typing_extensions import Buffer

# numpy's stubs declare ndarray.__buffer__ from Python 3.12 on only.
Column: TypeAlias = npt.NDArray[Any] | Buffer

# record: inside the observed process -------------------------------------------------------------

SNAPSHOT_CENSUS: int
"""Flag: write only the type table with counts and bytes (columns census.count, census.bytes)."""
SNAPSHOT_REDACT_KEYS: int
SNAPSHOT_TIGHT: int
SNAPSHOT_VALUES: int

def support() -> tuple[bool, str]: ...
def snapshot_start(
    fd: int, meta: bytes, own_prefix: str | bytes, flags: int, subject: object = None, /
) -> int: ...
def snapshot_wait(pid: int, timeout_seconds: float) -> tuple[str, int]:
    """`ok`; `write-error` with the errno; `crashed` with the signal; `timeout` (the child was killed);
    `no-memory`; `lost` with the errno of waiting. A negative timeout waits for ever."""

def malloc_in_use() -> int | None:
    """Bytes of glibc's allocator handed out, to be compared; None where another one serves malloc."""

def malloc_figures() -> tuple[int, int, int, int] | None:
    """Bytes of glibc's allocator: in use in its arenas, free in them, mapped one by one, in use in the main
    arena. None where another one serves malloc."""

def malloc_owner() -> str | None:
    """Name of the library whose malloc is called; the executable's where it only passes the call on."""

def malloc_trim() -> bool | None:
    """Give back what glibc keeps; whether it had any, None where it does not serve malloc."""

def map_figures(pid: int, /) -> dict[str, int]:
    """Resident and swapped bytes of a process by what they are; 0: this one. OSError: it cannot be read."""

def pool_figures(pid: int, /) -> tuple[int, int, int]:
    """Pools of a process's object allocator, read from outside: how many, bytes in use, bytes resident."""

def guard_start(
    folder: str | bytes,
    limit_bytes: int,
    percent: int,
    baseline_seconds: float,
    counts_births: bool,
    redacts_keys: bool,
    term_seconds: float,
    /,
) -> bool:
    """False: one runs already. RuntimeError: `no-thread`, `name-too-long`, `unsupported`."""

def guard_stop() -> bool: ...
def guard_box() -> str | None:
    """The folder that is filled, "" before the baseline; None: no guard runs."""

def guard_room(proc: str, /) -> tuple[str, int, int, bool] | None:
    """Name, bytes, and bytes left of the narrowest limit on this process, and whether the kernel then kills
    all of its cgroup; as the guard reads them below that path. None: there is none."""

class BirthStats(TypedDict):
    armed: bool
    state: str
    """`armed`; `off`; `passing` (disarmed under another hook); `lost` (another tool took the hook out)."""
    width: int
    with_sites: bool
    sites: int
    lost_sites: int
    unseen_types: int
    """Recycled builtin types that could not be watched: their births may be too early."""

def births_arm(width: int, sites: bool, own_folder: str | bytes = b"", /) -> None: ...
def births_set(value: int, /) -> None: ...
def births_boundary(value: int, /) -> int: ...
def births_disarm() -> None: ...
def births_of(block_owner: object, /) -> tuple[int, int]: ...
def births_at(addresses: Buffer, /) -> bytes: ...
def births_site(row: int, /) -> tuple[str, int, str]: ...
def births_stats() -> BirthStats: ...
def births_living(run: int, /) -> tuple[int, int] | None: ...
def births_usage() -> tuple[int, int]: ...
def works_open(variable: object, /) -> object: ...
def works_number(name: str, /) -> int: ...
def works_begin(number: int, /) -> None: ...
def works_changed() -> None: ...
def works_recorded() -> bool: ...
def works_of(block_owner: object, /) -> int: ...

# heap: snapshot files ----------------------------------------------------------------------------

def scan_chunks(
    fd: int, file_size: int
) -> tuple[list[tuple[str, int, int, int, int, int]], str, int, int]: ...
def read_chunk(fd: int, header_offset: int, out: Column) -> str: ...
def first_not_monotone(ends: Column, limit: int) -> int | None: ...
def first_not_below(values: Column, limit: int, exempt: int | None = None) -> int | None: ...
def first_unknown_kind(kinds: Column) -> int | None: ...
def first_bad_label(kinds: Column, labels: Column, string_count: int) -> int | None: ...
def prefix_sum(counts: Column, out_first: Column) -> int: ...
def masked_strings(blob: Column, ends: Column, used: Column | None) -> tuple[bytes, bytes] | None: ...
def masked_text(text: bytes) -> bytes: ...

# heap: V8 snapshots ------------------------------------------------------------------------------

def v8_open(layout: tuple[int, ...], arrays: tuple[Column, ...]) -> object: ...
def v8_feed(scanner: object, block: Column) -> tuple[str, str, int, int]: ...
def v8_finish(scanner: object) -> tuple[str, str, int, int, int, int, int]: ...
def v8_take(scanner: object, bytes: Column, ends: Column, places: Column) -> None: ...
def v8_find_strings(bytes: Column, ends: Column, names: tuple[str, ...]) -> list[tuple[int, int]]: ...
def v8_move_sizes(
    first: Column, edge_types: Column, targets: Column, classes: Column, owners: Column, sizes: Column
) -> None: ...
def v8_build(
    raw: tuple[Column, ...], rules: tuple[Column, ...], marks: tuple[int, ...], out: tuple[Column, ...]
) -> tuple[bytes, bytes, bytes]: ...

# kernels: graph algorithms on flat arrays ----------------------------------------------------------
# n objects, m references in CSR order: first_ref u64[n+1], targets u32[m]; n and m below 2**32 - 1.
# NO = 0xFFFFFFFF. Masks are u8, non-zero = set; None = no item set (for `counted`, `members`: every
# item). Every index is checked before any work: ValueError. The GIL is released while they work, so
# nothing may write to the arrays meanwhile. MemoryError; KeyboardInterrupt. leakscan.analysis.kernels
# wraps each of them and documents its result.

def reverse_csr(
    first_ref: Column, targets: Column, out_first: Column, out_sources: Column, out_refs: Column
) -> None: ...
def shortest_paths(
    first_ref: Column,
    targets: Column,
    costs: Column | None,
    roots: Column,
    root_costs: Column | None,
    barriers: Column | None,
    out_distance: Column,
    out_parent_ref: Column,
    out_root: Column,
) -> int: ...
def components(
    first_ref: Column,
    targets: Column,
    skip_refs: Column | None,
    members: Column | None,
    out_component: Column,
) -> int: ...
def dominators(
    first_ref: Column,
    targets: Column,
    skip_refs: Column | None,
    roots: Column,
    out_idom: Column,
    out_order: Column,
) -> int: ...
def retained_sizes(idom: Column, order: Column, sizes: Column, out_retained: Column) -> None: ...
def reachable(
    first_ref: Column,
    targets: Column,
    skip_refs: Column | None,
    roots: Column,
    barriers: Column | None,
    out_reached: Column,
) -> int: ...
def owners(
    first_ref: Column,
    targets: Column,
    skip_refs: Column | None,
    roots: Column,
    group_of_object: Column,
    out_owner: Column,
) -> None: ...
def count_in_references(targets: Column, counted: Column | None, out_counts: Column) -> None: ...
def collector_reachability(
    first_ref: Column,
    targets: Column,
    skip_refs: Column | None,
    refcounts: Column,
    roots: Column,
    uncounted_roots: Column | None,
    out_external: Column,
    out_state: Column,
) -> int: ...
def census(
    keys: Column, sizes: Column, members: Column | None, out_counts: Column, out_bytes: Column
) -> None: ...
def min_cut(
    first_ref: Column,
    targets: Column,
    skip_refs: Column | None,
    slot_of_ref: Column,
    slot_costs: Column,
    sources: Column,
    sinks: Column,
    nearest_to_sinks: bool,
    out_cut: Column,
) -> tuple[int, bool]: ...
def holding_sets(
    back_first: Column,
    back_sources: Column,
    component_of: Column,
    components: int,
    entry_objects: Column,
    entry_slots: Column,
    slots: int,
    most_work: int,
    out_set_of: Column,
    out_first: Column,
    out_items: Column,
) -> tuple[int, bool]: ...
