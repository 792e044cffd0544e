"""What the doors refuse: no array, however wrong, may crash a kernel or be half accepted."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan import _native
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import NO, Csr

Arrays = dict[str, Any]  # name -> array, None or bool, as the door takes them


def u(kind: int, *values: int) -> Any:  # Any: an array of the wanted dtype
    return np.array(values, f"u{kind}")


def arguments(door: str) -> Arrays:
    """Valid arguments for two objects and the references 0 -> 1, 1 -> 0."""
    graph: Arrays = {"first_ref": u(8, 0, 1, 2), "targets": u(4, 1, 0)}
    skip: Arrays = {"skip_refs": u(1, 0, 0)}
    roots: Arrays = {"roots": u(4, 0)}
    return {
        "reverse_csr": graph
        | {"out_first": u(8, 9, 9, 9), "out_sources": u(4, 9, 9), "out_refs": u(4, 9, 9)},
        "shortest_paths": graph
        | {"costs": u(2, 1, 1)}
        | roots
        | {"root_costs": u(4, 0), "barriers": u(1, 0, 0)}
        | {"out_distance": u(4, 9, 9), "out_parent_ref": u(4, 9, 9), "out_root": u(4, 9, 9)},
        "components": graph | skip | {"members": u(1, 1, 1), "out_component": u(4, 9, 9)},
        "dominators": graph | skip | roots | {"out_idom": u(4, 9, 9), "out_order": u(4, 9, 9)},
        "retained_sizes": {
            "idom": u(4, 2, 0),
            "order": u(4, 0, 1),
            "sizes": u(4, 5, 5),
            "out_retained": u(8, 9, 9, 9),
        },
        "reachable": graph | skip | roots | {"barriers": u(1, 0, 0), "out_reached": u(1, 9, 9)},
        "owners": graph | skip | roots | {"group_of_object": u(4, 0, NO), "out_owner": u(4, 9, 9)},
        "count_in_references": {"targets": u(4, 1, 0), "counted": u(1, 1, 1), "out_counts": u(4, 9, 9)},
        "collector_reachability": graph
        | skip
        | {"refcounts": u(4, 1, 1)}
        | roots
        | {"uncounted_roots": u(1, 0), "out_external": u(4, 9, 9), "out_state": u(1, 9, 9)},
        "census": {
            "keys": u(4, 0, 1),
            "sizes": u(8, 5, 5),
            "members": u(1, 1, 1),
            "out_counts": u(8, 9, 9),
            "out_bytes": u(8, 9, 9),
        },
        "min_cut": graph
        | skip
        | {"slot_of_ref": u(4, 0, NO), "slot_costs": u(4, 1)}
        | {"sources": u(4, 0), "sinks": u(4, 1)}
        | {"nearest_to_sinks": False, "out_cut": u(1, 9)},
    }[door]


DOORS = (
    "reverse_csr",
    "shortest_paths",
    "components",
    "dominators",
    "retained_sizes",
    "reachable",
    "owners",
    "count_in_references",
    "collector_reachability",
    "census",
    "min_cut",
)
INDICES = ("first_ref", "targets", "roots", "order", "idom", "keys", "slot_of_ref", "sources", "sinks")
FREE_LENGTH = ("roots", "order", "slot_costs", "sources", "sinks")
"""Arrays whose length nothing else prescribes."""


def arrays_of(*, names: Callable[[str], bool]) -> list[tuple[str, str]]:
    return [
        (door, name)
        for door in DOORS
        for name, value in arguments(door).items()
        if isinstance(value, np.ndarray) and names(name)
    ]


def call(door: str, given_arguments: Arrays) -> Any:  # Any: each door has its own result
    return getattr(_native, door)(*given_arguments.values())


@pytest.mark.parametrize("door", DOORS)
def test_the_valid_arguments_are_accepted(door: str) -> None:
    call(door, arguments(door))


@pytest.mark.parametrize(("door", "name"), arrays_of(names=lambda name: name in INDICES))
@pytest.mark.parametrize("value", [3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE])
def test_an_index_out_of_range_is_refused(door: str, name: str, value: int) -> None:
    for place in range(len(arguments(door)[name])):
        wrong = arguments(door)
        wrong[name][place] = value
        with pytest.raises(ValueError, match=name):
            call(door, wrong)


@pytest.mark.parametrize(
    ("door", "name"),
    arrays_of(names=lambda name: name in INDICES and name not in ("first_ref", "slot_of_ref")),
)
def test_no_object_is_no_index_where_an_object_is_needed(door: str, name: str) -> None:
    wrong = arguments(door)
    wrong[name][0] = NO
    with pytest.raises(ValueError, match=r"below|dominator"):
        call(door, wrong)


@pytest.mark.parametrize("group", [kernels.SHARED, kernels.OUTSIDE])
def test_the_reserved_owners_are_no_groups(group: int) -> None:
    wrong = arguments("owners")
    wrong["group_of_object"][0] = group
    with pytest.raises(ValueError, match="group_of_object"):
        call("owners", wrong)


@pytest.mark.parametrize(("door", "name"), arrays_of(names=lambda name: name not in FREE_LENGTH))
def test_an_array_that_is_too_long_is_refused(door: str, name: str) -> None:
    if (door, name) == ("count_in_references", "out_counts"):
        return  # its length is the number of objects
    wrong = arguments(door)
    wrong[name] = np.resize(wrong[name], len(wrong[name]) + 1)
    with pytest.raises(ValueError, match=r"expected|must rise"):
        call(door, wrong)


@pytest.mark.parametrize(("door", "name"), arrays_of(names=lambda name: name not in FREE_LENGTH))
def test_an_array_that_is_too_short_is_refused(door: str, name: str) -> None:
    wrong = arguments(door)
    wrong[name] = wrong[name][:-1].copy()
    with pytest.raises(ValueError, match=r"expected|must rise|below"):
        call(door, wrong)


@pytest.mark.parametrize(("door", "name"), arrays_of(names=lambda name: name.startswith("out_")))
def test_an_output_that_cannot_be_written_is_refused(door: str, name: str) -> None:
    wrong = arguments(door)
    wrong[name].flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        call(door, wrong)


@pytest.mark.parametrize(("door", "name"), arrays_of(names=lambda name: name.startswith("out_")))
def test_an_output_that_overlaps_another_array_is_refused(door: str, name: str) -> None:
    for other, value in arguments(door).items():
        wrong = arguments(door)
        if other == name or not isinstance(value, np.ndarray):
            continue
        memory = np.zeros(64, np.uint8)
        wrong[name] = np.resize(wrong[name].view(np.uint8), wrong[name].nbytes)
        for shared in (name, other):
            original = arguments(door)[shared]
            wrong[shared] = memory[: original.nbytes].view(original.dtype)
        wrong[other][:] = value
        with pytest.raises(ValueError, match="overlaps"):
            call(door, wrong)


@pytest.mark.parametrize(("door", "name"), arrays_of(names=lambda _: True))
def test_items_of_another_size_are_refused(door: str, name: str) -> None:
    wrong = arguments(door)
    other = np.uint16 if wrong[name].dtype != np.uint16 else np.uint32
    wrong[name] = wrong[name].astype(other)
    with pytest.raises((TypeError, ValueError)):
        call(door, wrong)


@pytest.mark.parametrize("first", [(1, 1, 2), (0, 2, 1), (0, 1, 1), (0, 1, 3), (0, 2**63, 2)])
def test_references_that_do_not_rise_from_zero_to_their_number_are_refused(first: tuple[int, ...]) -> None:
    wrong = arguments("reverse_csr")
    wrong["first_ref"] = u(8, *first)
    with pytest.raises(ValueError, match="must rise"):
        call("reverse_csr", wrong)


def test_no_first_reference_at_all_is_refused() -> None:
    wrong = arguments("reverse_csr")
    wrong["first_ref"] = u(8)
    with pytest.raises(ValueError, match="at least one"):
        call("reverse_csr", wrong)


def test_a_slot_that_costs_nothing_is_refused() -> None:
    wrong = arguments("min_cut")
    wrong["slot_costs"][0] = 0
    with pytest.raises(ValueError, match="at least 1"):
        call("min_cut", wrong)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(DOORS), st.data())
def test_arrays_of_noise_are_accepted_or_refused(door: str, data: st.DataObject) -> None:
    noisy: Arrays = {}
    for name, value in arguments(door).items():
        if not isinstance(value, np.ndarray):
            noisy[name] = value
            continue
        item = st.one_of(st.integers(0, 4), st.integers(0, 2 ** (8 * value.itemsize) - 1))
        length = data.draw(st.integers(0, 5))
        items = data.draw(st.lists(item, min_size=length, max_size=length))
        noisy[name] = np.array(sorted(items) if name == "first_ref" else items, value.dtype)
    try:
        call(door, noisy)
    except ValueError:
        return


def test_a_negative_number_is_not_wrapped_round() -> None:
    with pytest.raises(ValueError, match="roots: a value does not fit"):
        kernels.reachable(Csr(u(8, 0, 0), u(4)), roots=np.array([-1]))


def test_a_number_too_large_is_not_wrapped_round() -> None:
    with pytest.raises(ValueError, match="costs: a value does not fit"):
        kernels.shortest_paths(Csr(u(8, 0, 1), u(4, 0)), roots=np.array([0]), costs=np.array([65_536]))


def test_a_mask_must_not_be_a_list_of_indices() -> None:
    with pytest.raises(ValueError, match="barriers: expected a mask"):
        kernels.reachable(Csr(u(8, 0, 0), u(4)), roots=np.array([0]), barriers=np.array([0]))


def test_a_float_is_no_index() -> None:
    with pytest.raises(ValueError, match="roots: expected integers"):
        kernels.reachable(Csr(u(8, 0, 0), u(4)), roots=np.array([0.5]))


def test_other_threads_run_while_a_kernel_works() -> None:
    count = 300_000
    graph = Csr(np.arange(count + 1, dtype=np.uint64), np.roll(np.arange(count, dtype=np.uint32), -1))
    turns = []
    started, done = threading.Event(), threading.Event()

    def take_turns() -> None:
        started.set()
        while not done.is_set():
            turns.append(None)

    other = threading.Thread(target=take_turns)
    other.start()
    started.wait()
    before = len(turns)
    kernels.dominators(graph, roots=np.array([0]))
    during = len(turns) - before
    done.set()
    other.join()
    assert during > 0


OUT_OF_MEMORY = """
import resource
import numpy as np
from leakscan.analysis.graph import kernels
from leakscan.analysis.graph.kernels import Csr

count = 200_000
graph = Csr(np.arange(count + 1, dtype=np.uint64), np.roll(np.arange(count, dtype=np.uint32), -1))
roots = np.zeros(1, np.uint32)
slots, costs = np.arange(count, dtype=np.uint32), np.ones(count, np.uint32)
groups = np.zeros(count, np.uint32)
unit_costs = np.ones(count, np.uint16)
calls = {
    "breadth-first paths": lambda: kernels.shortest_paths(graph, roots=roots),
    "weighted paths": lambda: kernels.shortest_paths(graph, roots=roots, costs=unit_costs),
    "components": lambda: kernels.components(graph),
    "dominators": lambda: kernels.dominators(graph, roots=roots),
    "reachable": lambda: kernels.reachable(graph, roots=roots),
    "owners": lambda: kernels.owners(graph, groups, roots=roots),
    "collector": lambda: kernels.collector_reachability(graph, costs, roots=roots),
    "cut": lambda: kernels.min_cut(graph, slots, costs, sources=roots, sinks=roots + np.uint32(count // 2)),
}
for name, call in calls.items():
    for spare_kb in range(0, 80_000, 800):
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + spare_kb * 2**10, resource.RLIM_INFINITY))
        try:
            call()
        except MemoryError:
            continue
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(name)
        break
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the process's size is read from /proc")
@pytest.mark.skipif("SANITIZED" in os.environ, reason="ASan needs terabytes of address space")
def test_running_out_of_memory_at_any_point_is_an_error_and_no_crash() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY], check=False, capture_output=True, text=True, timeout=300
    )
    names = ["breadth-first paths", "weighted paths", "components", "dominators", "reachable", "owners"]
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, [*names, "collector", "cut"], "")
