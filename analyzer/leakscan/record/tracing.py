"""The runs once more under memray, with native stacks: who allocated what is not freed again.

In a process of its own: the allocations are traced, so nothing else is measured in it. memray is the one
of the environment that the target runs in.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
from collections.abc import Iterable
from typing import Any

from leakscan.errors import RecordError
from leakscan.record.events import EventSink
from leakscan.record.scenario import Scenario
from leakscan.record.settle import drain, settle, tasks_in_flight
from leakscan.record.surroundings import Surroundings
from leakscan.record.target import load_target

OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
MOST_SITES = 200
MOST_FRAMES = 40
OBJECTS = "objects"

_OWNERS = (
    ("new_arena", OBJECTS),
    ("_PyObject_Arena", OBJECTS),
    ("PyDataMem_", "numpy arrays"),
    ("npy_alloc", "numpy arrays"),
    ("arrow::", "pyarrow buffers"),
    ("c10::", "torch tensors"),
    ("at::native", "torch tensors"),
    ("PyByteArray_", OBJECTS),
    ("PyObject_Malloc", OBJECTS),
    ("_PyObject_Malloc", OBJECTS),
    ("_PyObject_Realloc", OBJECTS),
    ("_PyObject_GC_", OBJECTS),
    ("list_resize", OBJECTS),
    ("list_preallocate", OBJECTS),
    ("dictresize", OBJECTS),
    ("new_keys_object", OBJECTS),
    ("set_table_resize", OBJECTS),
)
"""What a function among the innermost frames says about whose block it is; the first that fits."""
_INNERMOST = 6


def tracing(config: dict[str, Any], events: EventSink) -> None:  # Any: JSON values
    """Import, warm up, run under memray, and write the file that `native_trace` names."""
    try:
        # The target's, and only in this process: the recorder itself needs no package.
        memray = importlib.import_module("memray")
    except ImportError as error:
        raise RecordError(
            f"memray cannot be imported by {config['python']}: {error}",
            hint="install it into the environment of the target: pip install memray",
        ) from None
    target = load_target(config)
    scenario = Scenario(
        target.call, mode=config["mode"], chunks=config["chunks"], owns_main=config["owns_main"]
    )
    surroundings = Surroundings(scenario)
    scenario.use(surroundings.enter(target))
    at_rest = tasks_in_flight(scenario.loop)
    for _ in range(config["warmup"]):
        scenario.run()
        settle(scenario)
    trace = config["native_trace"] + ".memray"
    with memray.Tracker(trace, native_traces=True, trace_python_allocators=config["trace_python_allocators"]):
        for run in range(1, config["runs"] + 1):
            events.write("run_start", run=run, warmup=False)
            scenario.run()
            settle(scenario)
            events.write("run_end", run=run, warmup=False, ended="", kind=scenario.kind)
        drain(scenario, tasks_at_rest=at_rest, at_most_seconds=config["settle_seconds"])
        gc.collect()
    try:
        _write(config, memray.FileReader(trace).get_leaked_allocation_records(merge_threads=True), memray)
    finally:
        os.unlink(trace)
    surroundings.leave()
    scenario.close()


def _write(config: dict[str, Any], records: Iterable[Any], memray: Any) -> None:
    # Any: memray's classes, which are not installed where this is checked
    sites = [_site(record) for record in records]
    sites.sort(key=lambda site: (-site["bytes"], json.dumps(site["stack"])))
    listed, rest = sites[:MOST_SITES], sites[MOST_SITES:]
    document = {
        "format": "leakscan-native",
        "version": 1,
        "memray": memray.__version__,
        "runs": config["runs"],
        "sites": listed,
        "omitted_sites": len(rest),
        "omitted_bytes": sum(site["bytes"] for site in rest),
    }
    partial = config["native_trace"] + ".partial"
    with open(partial, "w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(document, file, indent=1)
    os.replace(partial, config["native_trace"])


def _site(record: Any) -> dict[str, Any]:
    stack = [tuple(frame) for frame in record.hybrid_stack_trace(max_stacks=MOST_FRAMES)]
    return {
        "bytes": record.size,
        "blocks": record.n_allocations,
        "owner": owner_of([function for function, _, _ in stack]),
        "stack": [frame for frame in stack if not frame[1].startswith(OWN_FOLDER)],
    }


def owner_of(functions: list[str]) -> str:
    """Whose memory it is by the functions that allocated it, innermost first; "" when nobody's we know."""
    for function in functions[:_INNERMOST]:
        for part, owner in _OWNERS:
            if part in function:
                return owner
    return ""
