"""The whole analysis on random heaps: it must answer, and what it says must hold."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conservation import lost_in_causes, lost_in_growth
from drawn_leaks import told
from leakscan.analysis.diff import diff
from leakscan.heap.kinds import Kind

from heaps import DrawnHeap, heap  # isort: skip

KINDS = ("[.a]", "['k1']", "['k2']", "[3]", "[{}]", "[?]", "[~]", "[.__dict__]", "[slot __closure__]")
TYPES = ("app.A", "app.B", "lib.C", "dict", "list", "tuple", "function", "cell", "type")
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def heaps(draw: st.DrawFn) -> tuple[DrawnHeap, DrawnHeap]:
    """(before, after): up to 14 objects, the first of them old, with any references and roots."""
    count = draw(st.integers(2, 14))
    old = draw(st.integers(1, count))
    births = [0] * old + [draw(st.integers(1, 5)) for _ in range(count - old)]
    lines = [
        f"o{at}: {draw(st.sampled_from(TYPES))} size={draw(st.integers(1, 99))} birth={birth}"
        for at, birth in enumerate(births)
    ]
    lines += [f"module m{at} -> o{at}" for at in draw(st.sets(st.integers(0, old - 1), max_size=3))]
    lines += [f"thread T -> o{at}" for at in draw(st.sets(st.integers(0, count - 1), max_size=2))]
    pairs = draw(st.lists(st.tuples(*[st.integers(0, count - 1)] * 2, st.sampled_from(KINDS)), max_size=30))
    lines += [f"o{source} -{label}-> o{target}" for source, target, label in pairs]
    before = [line for line in lines[:old] if line]
    return heap("\n".join(before)), heap("\n".join(lines))


@SLOW
@given(heaps())
def test_survivors_are_held_or_garbage_and_none_is_lost(pair: tuple[DrawnHeap, DrawnHeap]):
    findings, after = diff(*pair, runs=5), pair[1]
    # What an old object was given for its attributes is the old object.
    moved = {
        int(after.ref_targets[ref])
        for obj in np.flatnonzero(after.births == 0).tolist()
        for ref in after.references(obj)
        if after.kind(ref) == Kind.DICT and after.type_name(int(after.ref_targets[ref])) == "dict"
    }
    born = set(np.flatnonzero(after.births > 0).tolist()) - moved
    assert findings.survivor_count + findings.garbage_count == len(born)


@SLOW
@given(heaps())
def test_no_leak_is_told_twice(pair: tuple[DrawnHeap, DrawnHeap]):
    findings = diff(*pair, runs=5)
    told = [leak.signature for leak in (*findings.leaks, *findings.others, *findings.noise)]
    assert len(told) == len(set(told))


@SLOW
@given(heaps())
def test_exclusive_bytes_never_exceed_what_survives(pair: tuple[DrawnHeap, DrawnHeap]):
    findings = diff(*pair, runs=5)
    told = (*findings.leaks, *findings.others, *findings.noise)
    old = int(pair[1].sizes[pair[1].births == 0].sum())
    assert sum(leak.exclusive_bytes for leak in told) <= findings.survivor_bytes + old


@SLOW
@given(heaps())
def test_each_slot_leads_from_old_objects_to_new_ones(pair: tuple[DrawnHeap, DrawnHeap]):
    graph = pair[1]
    found = told(*pair, runs=5)
    is_new = found.holding.reach.survivors.is_new
    for slot in found.holding.table.slots:
        sources = np.searchsorted(graph.first_ref, slot.refs, side="right") - 1
        assert not is_new[sources].any()
        assert is_new[graph.ref_targets[slot.refs]].all()
        assert all(graph.kind(int(ref)) != Kind.WEAK for ref in slot.refs)


@SLOW
@given(heaps())
def test_every_reference_into_the_new_objects_is_in_exactly_one_slot(pair: tuple[DrawnHeap, DrawnHeap]):
    found = told(*pair, runs=5)
    reach = found.holding.reach
    leading = [ref for ref in reach.frontier.tolist() if reach.is_held[pair[1].ref_targets[ref]]]
    assert sorted(ref for slot in found.holding.table.slots for ref in slot.refs.tolist()) == leading


@SLOW
@given(heaps())
def test_the_set_of_an_object_is_what_walking_from_each_slot_finds(pair: tuple[DrawnHeap, DrawnHeap]):
    graph = pair[1]
    holding = told(*pair, runs=5).holding
    reach, objects = holding.reach, holding.new.objects.tolist()
    for number, slot in enumerate(holding.table.slots):
        seen = {*graph.ref_targets[slot.refs].tolist(), *reach.root_targets[slot.rows].tolist()}
        waiting = list(seen)
        while waiting:
            for ref in graph.references(waiting.pop()):
                target = int(graph.ref_targets[ref])
                if graph.kind(ref) != Kind.WEAK and reach.is_held[target] and target not in seen:
                    seen.add(target)
                    waiting.append(target)
        held = {
            obj
            for obj, own in zip(objects, holding.set_of.tolist(), strict=True)
            if number in holding.sets.slots_of(own).tolist()
        }
        assert held == seen


@SLOW
@given(heaps())
def test_each_survivor_belongs_to_exactly_one_cause(pair: tuple[DrawnHeap, DrawnHeap]):
    found = told(*pair, runs=5)
    members = np.concatenate([cause.objects for cause in found.causes] or [np.zeros(0, np.uint32)])
    assert sorted(members.tolist()) == list(range(len(found.holding.new.objects)))


@SLOW
@given(heaps())
def test_births_of_each_type_summed_over_causes_are_those_of_its_survivors(
    pair: tuple[DrawnHeap, DrawnHeap],
):
    assert lost_in_causes(*pair, runs=5) == ({}, {})


@SLOW
@given(heaps())
def test_growth_of_each_type_is_what_was_born_less_what_went(pair: tuple[DrawnHeap, DrawnHeap]):
    assert lost_in_growth(diff(*pair, runs=5), *pair) == {}
