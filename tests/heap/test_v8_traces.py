"""Where V8 says that objects were made, in a snapshot that is written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leakscan.errors import SnapshotError
from leakscan.heap.v8_traces import Function, Traces

NAMES = ["", "run", "file:///srv/app.mjs", "keep", "node:internal/timers", 'a text with "trace_tree":[ in it']
FIELDS = ["function_id", "name", "script_name", "script_id", "line", "column"]


def written(folder: Path, **changes: object) -> Path:
    """Two objects: 7 was made in `keep`, which `run` called, and 3 was there before."""
    parts: dict[str, object] = {
        "snapshot": {
            "meta": {
                "node_fields": ["type", "id", "trace_node_id"],
                "trace_function_info_fields": FIELDS,
            }
        },
        "nodes": [3, 7, 3, 3, 3, 0],
        "edges": [],
        "trace_function_infos": [0, 0, 0, 0, -1, 0, 5, 1, 2, 9, 7, 1, 6, 3, 2, 9, 4, 1],
        "trace_tree": [1, 0, 0, 0, [2, 1, 1, 24, [3, 2, 1, 24, []]]],
        "samples": [],
        "locations": [],
        "strings": NAMES,
    } | changes
    path = folder / "traced.heapsnapshot"
    path.write_text(json.dumps({key: value for key, value in parts.items() if value}, separators=(",", ":")))
    if not changes:
        # As V8 writes it: empty arrays too, and a line for each thing.
        path.write_text(json.dumps(parts, separators=(",", ":")).replace(',"', ',\n"'))
    return path


def test_the_stack_of_an_object_is_told_from_the_inside(tmp_path):
    traces = Traces(written(tmp_path))
    assert traces.stack_of(7)[:2] == (Function("keep", "/srv/app.mjs", 4), Function("run", "/srv/app.mjs", 7))
    assert traces.stack_of(3) == () and traces.stack_of(5) == () and traces.stack_of(99) == ()


@pytest.mark.parametrize("changes", [{"trace_tree": []}, {"strings": []}, {"nodes": [1, 2]}])
def test_a_snapshot_without_stacks_is_a_clear_error(tmp_path, changes):
    with pytest.raises(SnapshotError, match="says nothing about where its objects were made"):
        Traces(written(tmp_path, **changes))
