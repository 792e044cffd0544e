"""The extension module. Buffers in, buffers out; see the contract comment of each function in C++.

Arguments typed Buffer must be C-contiguous with the item size named beside them (u8, u16, u32, u64).
ValueError: an index out of range or arrays of different lengths; TypeError: a wrong item size.
"""

from typing import TypedDict

from typing_extensions import Buffer

# record: inside the observed process -------------------------------------------------------------

SNAPSHOT_CENSUS: int
"""Flag: write only the type table with counts and bytes (columns census.count, census.bytes)."""
SNAPSHOT_REDACT_KEYS: int

def support() -> tuple[bool, str]: ...
def snapshot_start(fd: int, meta: bytes, own_prefix: str, flags: int) -> int: ...
def snapshot_wait(pid: int, timeout_seconds: float) -> tuple[str, int]: ...

class BirthStats(TypedDict):
    armed: bool
    width: int
    sites: int
    live_blocks: int
    shadow_bytes: int

def births_arm(width: int, sites: bool) -> None: ...
def births_set(value: int) -> None: ...
def births_disarm() -> None: ...
def births_stats() -> BirthStats: ...

# heap: snapshot files ----------------------------------------------------------------------------

def scan_chunks(
    file: Buffer,
) -> list[tuple[str, int, int, int, int, int]]: ...

# kernels: graph algorithms on flat arrays ----------------------------------------------------------
# n objects, m references in CSR order: first_ref u64[n+1], targets u32[m]. NO = 0xFFFFFFFF.

def reverse_csr(
    first_ref: Buffer, targets: Buffer, out_first: Buffer, out_sources: Buffer, out_refs: Buffer
) -> None: ...
def shortest_paths(
    first_ref: Buffer,
    targets: Buffer,
    costs: Buffer,
    roots: Buffer,
    root_costs: Buffer,
    barriers: Buffer,
    out_distance: Buffer,
    out_parent_ref: Buffer,
    out_root: Buffer,
) -> int: ...
def components(
    first_ref: Buffer, targets: Buffer, skip_refs: Buffer, members: Buffer, out_component: Buffer
) -> int: ...
def dominators(
    first_ref: Buffer, targets: Buffer, skip_refs: Buffer, roots: Buffer, out_idom: Buffer, out_order: Buffer
) -> int: ...
def retained_sizes(
    idom: Buffer, order: Buffer, order_count: int, sizes: Buffer, out_retained: Buffer
) -> None: ...
def reachable(
    first_ref: Buffer,
    targets: Buffer,
    skip_refs: Buffer,
    roots: Buffer,
    barriers: Buffer,
    out_reached: Buffer,
) -> int: ...
def min_cut(
    first_ref: Buffer,
    targets: Buffer,
    skip_refs: Buffer,
    slot_of_ref: Buffer,
    slot_cost: Buffer,
    sources: Buffer,
    sinks: Buffer,
    out_slot_cut: Buffer,
) -> int: ...
