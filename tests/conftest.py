"""Which tests are quick, and what all of them need. Drawn heaps are in tests/heaps.py."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

# A shell without job control starts what it puts in the background with Ctrl-C ignored, and so are all that
# the tests start: those that press it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# numpy starts a thread of OpenBLAS for each core: a third of what importing it costs, and nothing uses one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The files of the tests are compiled once and not by each worker of each run, whatever the environment says;
# what the tests themselves import is left as it was.
_dont_write_bytecode = sys.dont_write_bytecode
sys.dont_write_bytecode = False

# Programs under test, some of which look like tests.
collect_ignore = ["cases"]

QUICK: Final = frozenset(
    (
        "test_around",
        "test_baseline",
        "test_births_sites",
        "test_buffers",
        "test_shallow",
        "test_v8_written_twice",
        "test_v8_open",
        "test_stuck_v8",
        "test_passing",
        "test_chains",
        "test_capsule_size",
        "test_capture_figures",
        "test_causes",
        "test_cli_analysis",
        "test_cli_main",
        "test_compare",
        "test_costs",
        "test_counts_alone",
        "test_cuts",
        "test_drawn_lines",
        "test_endings",
        "test_export",
        "test_find",
        "test_format",
        "test_garbage",
        "test_gate",
        "test_gate_formats",
        "test_growing_object",
        "test_growth",
        "test_headline",
        "test_heaps",
        "test_holder",
        "test_segments_read",
        "test_hostile_names",
        "test_house",
        "test_identity",
        "test_kept_answers",
        "test_kernels_drawn",
        "test_kernels_ties",
        "test_leaks",
        "test_ledger",
        "test_limits",
        "test_looking",
        "test_native_gate",
        "test_native_owner",
        "test_makes",
        "test_nearest",
        "test_noise",
        "test_notebook",
        "test_numbering",
        "test_other_tools",
        "test_pace",
        "test_patterns_v8",
        "test_paths",
        "test_paths_and_steps",
        "test_plumbing",
        "test_projection",
        "test_proof_plan",
        "test_public_api",
        "test_query",
        "test_reader",
        "test_reclaimed",
        "test_redaction",
        "test_replay",
        "test_report_any",
        "test_report_dot",
        "test_report_html",
        "test_report_json",
        "test_report_markdown",
        "test_report_svg",
        "test_report_text",
        "test_report_whatif",
        "test_roots",
        "test_rules",
        "test_schemas",
        "test_seeds",
        "test_series",
        "test_server",
        "test_signatures",
        "test_slot_noise",
        "test_slot_verdicts",
        "test_slotfacts",
        "test_slotnames",
        "test_slots",
        "test_slots_v8",
        "test_source_maps",
        "test_stuck_drawn",
        "test_survivors",
        "test_test_runner",
        "test_top",
        "test_uncollected",
        "test_unused_variables",
        "test_verdicts",
        "test_waiting",
        "test_waits_drawn",
        "test_whatif",
        "test_whose_request",
        "test_wording",
        "test_words",
        "test_worker_answers",
    )
)
"""Files whose tests draw a heap and look at an answer: `make quick`. Others run programs, or take long."""


LONGEST: Final = (
    "test_pytest_plugin",
    "test_known_answers",
    "test_capture_node",
    "test_docs",
    "test_cases_answers",
    "test_targets_jobs",
    "test_fixtures",
    "test_marked_programs",
    "test_targets_served",
    "test_guard",
    "test_callers",
    "test_cases_leakgen",
    "test_report_browser",
    "test_node_pairs",
    "test_cases_doors",
    "test_targets_web",
    "test_suite_target",
    "test_targets",
    "test_known_node",
    "test_cases_node",
    "test_walk_sizes",
    "test_native_server",
    "test_release",
    "test_stuck",
    "test_capture",
    "test_attach_soak",
    "test_zoo_programs",
    "test_kernels_twins",
    "test_truth_seeds",
    "test_walk_extremes",
    "test_streams_lab",
    "test_births",
    "test_attach",
    "test_kernels_scale",
    "test_attach_killed",
    "test_attach_states",
    "test_native_doors",
    "test_requests",
)
"""Files that go first and, under `make test`, alone, the longest first: none is left at the end."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files that `make quick` leaves out need not be imported for it."""
    is_slow = collection_path.name.startswith("test_") and collection_path.stem not in QUICK
    return True if is_slow and collection_path.is_file() and config.option.markexpr == "not slow" else None


def pytest_collection_finish() -> None:
    sys.dont_write_bytecode = _dont_write_bytecode


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONGEST)))
    for item in items:
        if item.path.stem not in QUICK:
            item.add_marker(pytest.mark.slow)
