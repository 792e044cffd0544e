from __future__ import annotations

import dataclasses

import numpy as np

from drawn_leaks import each_run, found, groups, the_leak
from heaps import DrawnHeap, heap

BEFORE = """
module app -> m; m: module name=app; m -[.__dict__]-> d -['FLOW']-> flow; d: dict
flow: app.Flow; flow -[._runs]-> runs; runs: dict
"""
GROWN = """
runs -['run-#']-> run#; run#: app.Run size=40 birth=#
run# -[.output]-> out#; out#: app.Output size=900 birth=#
"""


def signature(before: str = BEFORE, grown: str = GROWN, *, runs: int = 6) -> str:
    return the_leak(before, grown, runs=runs).signature


def test_a_signature_has_eight_hexadecimal_digits():
    assert int(signature(), 16) >= 0 and len(signature()) == 8


def test_other_keys_and_other_counts_are_the_same_leak():
    assert signature() == signature(grown=GROWN.replace("run-#", "x#y")) == signature(runs=9)


def test_other_sizes_lines_and_addresses_are_the_same_leak():
    other = GROWN.replace("size=900", "size=901").replace("run#: app.Run", "run#: app.Run addr=0x9#0")
    assert signature() == signature(grown=other)


def test_inline_values_and_a_dict_are_the_same_leak():
    in_dict = GROWN.replace(
        "run# -[.output]-> out#", "run# -[.__dict__]-> n# -['output']-> out#; n#: dict birth=#"
    )
    old_in_dict = BEFORE.replace(
        "flow -[._runs]-> runs", "flow -[.__dict__]-> fd -['_runs']-> runs; fd: dict"
    )
    assert signature() == signature(grown=in_dict) == signature(old_in_dict)


def test_unrelated_objects_do_not_change_it():
    assert signature() == signature(f"{BEFORE}; d -['OTHER']-> o; o: list; o -[0]-> p")


def test_another_attribute_is_another_leak():
    assert signature() != signature(BEFORE.replace("_runs", "_done"))


def test_another_class_is_another_leak():
    assert signature() != signature(grown=GROWN.replace("app.Output", "app.Reply"))


def test_another_place_of_the_same_class_is_another_leak():
    assert signature() != signature(grown=GROWN.replace(".output", ".reply"))


def test_the_order_of_objects_does_not_change_it():
    before = heap(BEFORE)
    after = heap(f"{BEFORE}\n{each_run(GROWN)}")
    for seed in range(5):
        (group,) = groups(before, permuted(after, seed))
        assert group.signature == signature()


def test_the_order_of_strings_does_not_change_it():
    lines = [f"unused: object name=s{at}" for at in range(7)]
    assert signature() == signature("\n".join(lines) + BEFORE)


def test_every_leak_of_a_run_has_its_own():
    findings = found(
        f"{BEFORE}; d -['A']-> a; a: list; d -['B']-> b; b: list",
        f"{GROWN}; a -[#]-> x#; x#: app.X birth=#; b -[#]-> y#; y#: app.X birth=#",
    )
    assert len({leak.signature for leak in findings.leaks}) == len(findings.leaks) == 3


def permuted(graph: DrawnHeap, seed: int) -> DrawnHeap:
    """The same heap with its objects numbered otherwise."""
    order = np.random.default_rng(seed).permutation(graph.object_count)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    counts = np.diff(graph.first_ref.astype(np.int64))[order]
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.uint64)
    refs = np.concatenate([np.array(graph.references(int(obj)), np.int64) for obj in order])
    types = graph.types.objects.copy()
    known = types != 0xFFFFFFFF
    types[known] = place[types[known]]
    return dataclasses.replace(
        graph,
        **{
            name: getattr(graph, name)[order]
            for name in ("addresses", "type_ids", "sizes", "refcounts", "births", "flags", "sites")
        },
        first_ref=first,
        ref_targets=place[graph.ref_targets[refs]].astype(np.uint32),
        ref_kinds=graph.ref_kinds[refs],
        ref_labels=graph.ref_labels[refs],
        roots=dataclasses.replace(graph.roots, targets=place[graph.roots.targets].astype(np.uint32)),
        types=dataclasses.replace(graph.types, objects=types),
        names={int(place[obj]): name for obj, name in graph.names.items()},
        locations={int(place[obj]): at for obj, at in graph.locations.items()},
        bounds={int(place[obj]): bound for obj, bound in graph.bounds.items()},
        numbers={name: int(place[obj]) for name, obj in graph.numbers.items()},
    )
