"""The file format as documented, and what becomes of files that break its rules."""

import io
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heaps import heap
from leakscan.errors import SnapshotError
from leakscan.heap import kinds
from leakscan.heap.reader import load
from leakscan.heap.writer import columns, write_columns

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/format.md").read_text()
CONSTANTS = (ROOT / "analyzer/native/format.h").read_text()
GRAPH = heap("""
    module app -> flow; flow -[._runs]-> runs -['run-1']-> run -[3]-> out; thread T -> run
    out: app.Out size=9000000000 birth=3 name=out at=a.py:31 bound=8 site=a.py:3:make
""")
HEADER = struct.Struct("<4s16sBBHIIQQ")


def file_of(graph, *, compress=False, meta=None, **changed):
    """The bytes of a snapshot of `graph` in which some columns (`ref_dst=...`) are replaced."""
    stream = io.BytesIO()
    replaced = {name.replace("_", ".", 1): value for name, value in changed.items()}
    rows = ((name, dtype, replaced.get(name, values)) for name, dtype, values in columns(graph))
    kept = ((name, dtype, np.asarray(values)) for name, dtype, values in rows if values is not None)
    write_columns(stream, graph.meta if meta is None else meta, kept, compress=compress)
    return stream.getvalue()


WHOLE = file_of(GRAPH)
FIRST = 16 + HEADER.size + len(json.dumps(dict(GRAPH.meta))) // 8 * 8 + 8
"""Where the second chunk begins."""
STRINGS = len(GRAPH.strings)
PACKED = file_of(
    heap("root -> " + ", ".join(f"x{i}" for i in range(300)) + f"; x0: dict name={'y' * 2000}"), compress=True
)


def refusal(content):
    """The message with which these bytes are refused."""
    with pytest.raises(SnapshotError) as caught:
        load(io.BytesIO(content))
    assert caught.value.hint
    return caught.value.message.removeprefix("<snapshot>: ")


def with_header(content, chunk, **fields):
    """The file with fields of one chunk's header replaced, its checksum made right again."""
    names = ("magic", "name", "dtype", "codec", "reserved", "crc", "sequence", "items", "size")
    offset = 16
    for _ in range(chunk):
        size = HEADER.unpack_from(content, offset)[8]
        offset += HEADER.size + size + -size % 8
    old = dict(zip(names, HEADER.unpack_from(content, offset), strict=True))
    payload = content[offset + HEADER.size : offset + HEADER.size + old["size"]]
    new = {**old, **fields, "crc": 0}
    new["crc"] = zlib.crc32(payload, zlib.crc32(HEADER.pack(*new.values())))
    return content[:offset] + HEADER.pack(*new.values()) + content[offset + HEADER.size :]


def test_the_reader_in_the_docs_reads_what_leakscan_writes():
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope = {}
    exec(source, scope)
    for content in (WHOLE, PACKED):
        scope["open"] = lambda path, mode, content=content: io.BytesIO(content)
        read = scope["read_snapshot"]("any")
        graph = load(io.BytesIO(content))
        assert read["ref.dst"].tolist() == graph.ref_targets.tolist()
        assert read["obj.birth"].tolist() == graph.births.tolist()


def test_kinds_of_reference_are_the_same_in_the_docs_in_python_and_in_native_code():
    in_docs = {
        name: int(number) for number, name in re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", PAGE, re.MULTILINE)
    }
    enum = re.search(r"enum Kind[^{]*\{(.*?)\}", CONSTANTS, re.DOTALL)[1]
    in_native = {name: int(number) for name, number in re.findall(r"(\w+) = (\d+)", enum)}
    in_python = {kind.name: kind.value for kind in kinds.Kind}
    assert in_docs == in_python == in_native


def test_flags_and_root_kinds_are_the_same_in_python_and_in_native_code():
    def native(enum):
        body = re.search(rf"enum {enum} [^{{]*\{{(.*?)\}}", CONSTANTS, re.DOTALL)[1]
        return sorted(int(number) for number in re.findall(r"= (\d+)", body))

    assert native("ObjectFlag") == sorted(flag.value for flag in kinds.ObjectFlag)
    assert native("TypeFlag") == sorted(flag.value for flag in kinds.TypeFlag)
    assert native("RootFlag") == sorted(flag.value for flag in kinds.RootFlag)
    assert native("RootKind") == sorted(kind for kind in kinds.RootKind if kind <= kinds.RootKind.STATIC_TYPE)


@pytest.mark.parametrize("whole", [WHOLE, PACKED], ids=["raw", "compressed"])
def test_a_file_cut_anywhere_is_called_truncated(whole):
    padding = len(whole.rstrip(b"\0"))
    for length in range(1, padding):
        message = refusal(whole[:length])
        assert f"truncated at byte {length}" in message, length


@pytest.mark.parametrize("whole", [WHOLE, PACKED], ids=["raw", "compressed"])
def test_no_single_byte_can_change_unnoticed(whole):
    unused = set(range(12, 16))  # the flags of the file mean nothing yet
    offset = 16
    while offset < len(whole):
        size = HEADER.unpack_from(whole, offset)[8]
        end = offset + HEADER.size + size
        unused |= set(range(end, end + -size % 8))
        offset = end + -size % 8
    for position in sorted(set(range(len(whole))) - unused):
        refusal(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])


@given(st.binary(max_size=400), st.integers(0, 60))
@settings(deadline=None)
def test_random_bytes_after_a_good_beginning_are_refused(noise, chunks):
    offset = 16
    for _ in range(chunks % 30):
        size = HEADER.unpack_from(WHOLE, offset)[8]
        offset += HEADER.size + size + -size % 8
    refusal(WHOLE[:offset] + noise)


@given(st.data())
@settings(deadline=None)
def test_random_columns_are_refused_or_safe_to_follow(data):
    """With right checksums: only the meaning is hostile."""
    number = st.one_of(st.integers(0, 12), st.sampled_from([0x7F, 0xFF, 0xFFFF, 0xFFFFFFFE, 0xFFFFFFFF]))
    drawn = {}
    for name, dtype, values in columns(GRAPH):
        if len(values) and data.draw(st.booleans(), label=name):
            limit = 2 ** (8 * max(1, 2 ** (dtype - 1) if dtype else 1)) - 1
            row = data.draw(st.integers(0, len(values) - 1))
            drawn[name] = np.array(values)
            drawn[name][row] = min(data.draw(number), limit)
    try:
        graph = load(
            io.BytesIO(file_of(GRAPH, **{name.replace(".", "_", 1): v for name, v in drawn.items()}))
        )
    except SnapshotError:
        return
    for obj in range(graph.object_count):
        graph.type_name(obj), graph.name_of(obj), graph.location_of(obj)
        for ref in graph.references(obj):
            graph.label(ref)
            assert graph.ref_targets[ref] < graph.object_count
    for root in range(len(graph.roots)):
        graph.root_label(root), graph.root_kind(root)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ref_dst": [1, 2, 99]}, "column ref.dst item 2 is 99, there are only 4 objects"),
        ({"ref_dst": [1, 2]}, "column ref.kind has 3 items, ref.dst has 2"),
        ({"ref_kind": [1, 99, 7]}, "column ref.kind item 1 is of the unknown kind 99"),
        ({"ref_label": [0, 999, 7]}, f"column ref.label item 1 is 999, there are only {STRINGS} strings"),
        ({"obj_type": [0, 0, 0, 9]}, "column obj.type item 3 is 9, there are only 2 types"),
        ({"obj_refs": [1, 1, 1, 1]}, "column obj.refs adds up to 4, there are 3 references"),
        ({"obj_addr": [1]}, "column obj.addr has 1 items, obj.type has 4"),
        ({"obj_site": [2, 0, 0, 0]}, "column obj.site item 0 is 2, there are only 2 sites"),
        ({"big_obj": [0]}, "column big.obj does not list exactly the objects whose size is elsewhere"),
        ({"type_obj": [4, 4]}, "column type.obj item 0 is 4, there are only 4 objects"),
        ({"root_kind": [1, 77]}, "column root.kind has the unknown kind 77"),
        ({"root_dst": [1, 77]}, "column root.dst item 1 is 77, there are only 4 objects"),
        ({"name_str": [99]}, f"column name.str item 0 is 99, there are only {STRINGS} strings"),
        ({"loc_obj": [99]}, "column loc.obj item 0 is 99, there are only 4 objects"),
        ({"str_ends": [1, *range(15)]}, "column str.ends item 1 does not lie between its neighbours"),
        ({"str_ends": [0, 2**63]}, "column str.ends item 1 does not lie between its neighbours"),
        ({"str_ends": []}, "column str.ends does not begin with the empty string"),
        ({"obj_size": None}, "column obj.size is missing"),
        ({"meta": {}}, "column meta does not say which runtime was recorded"),
    ],
    ids=str,
)
def test_columns_that_contradict_each_other_are_refused(changed, message):
    assert refusal(file_of(GRAPH, **changed)) == message


@pytest.mark.parametrize(
    ("chunk", "fields", "message"),
    [
        (1, {"name": b"a b"}, f"the chunk at byte {FIRST} has no proper name"),
        (1, {"name": bytes(16)}, f"the chunk at byte {FIRST} has no proper name"),
        (1, {"dtype": 9}, f"the chunk at byte {FIRST} has the unknown dtype 9"),
        (1, {"codec": 9}, f"the chunk at byte {FIRST} has the unknown codec 9"),
        (1, {"sequence": 7}, f"the chunk at byte {FIRST} has sequence number 7: chunks are missing"),
        (1, {"items": 2**62}, f"the chunk at byte {FIRST} announces {2**62} items, its payload holds others"),
        (
            1,
            {"items": 2**40, "size": 2**40},
            f"truncated at byte {len(WHOLE)}, inside a chunk of {2**40} bytes",
        ),
        (
            1,
            {"items": 2**40, "codec": 1},
            f"the chunk at byte {FIRST} announces {2**40} bytes, out of proportion",
        ),
        (1, {"codec": 1}, f"the chunk at byte {FIRST} (str.bytes) cannot be decompressed"),
    ],
    ids=str,
)
def test_hostile_headers_are_refused_before_anything_is_allocated(chunk, fields, message):
    assert refusal(with_header(WHOLE, chunk, **fields)).startswith(message)


def test_a_newer_version_says_to_upgrade():
    assert refusal(WHOLE[:8] + struct.pack("<I", 2) + WHOLE[12:]).startswith("snapshot format version 2")


def test_bytes_after_the_end_are_refused():
    assert refusal(WHOLE + bytes(8)) == f"bytes follow the end chunk, from byte {len(WHOLE)} on"


def test_a_chunk_that_inflates_to_more_than_it_announces_is_refused():
    content = with_header(PACKED, 1, items=10)
    assert refusal(content).endswith("(str.bytes) does not decompress to the 10 bytes it announces")


def test_a_missing_optional_column_means_unknown():
    graph = load(io.BytesIO(file_of(GRAPH, obj_birth=None)))
    assert graph.births.tolist() == [kinds.BIRTH_UNKNOWN] * 4
