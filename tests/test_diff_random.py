"""The whole analysis on random heaps: it must answer, and what it says must hold."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.causes.leaks import LeakSearch, Limits, find_leaks
from leakscan.analysis.diff import diff
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.slots.reach import explore, new_graph
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
    findings = diff(*pair, runs=5)
    assert findings.survivor_count + findings.garbage_count == int((pair[1].births > 0).sum())


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
def test_each_path_follows_references_from_an_old_object_to_a_head(pair: tuple[DrawnHeap, DrawnHeap]):
    graph = pair[1]
    search, is_new = _search(*pair)
    for group in search.groups:
        for slot in group.slots:
            sources = np.searchsorted(graph.first_ref, slot.refs, side="right") - 1
            assert not is_new[sources].any()
            assert is_new[graph.ref_targets[slot.refs]].all()
            assert all(graph.kind(int(ref)) != Kind.WEAK for ref in slot.refs)


@SLOW
@given(heaps())
def test_the_slots_of_a_leak_are_all_that_holds_it(pair: tuple[DrawnHeap, DrawnHeap]):
    """Without those references, and without roots among the new objects, no head is reached."""
    graph = pair[1]
    search, is_new = _search(*pair)
    for group in search.groups:
        if group.path_count_omitted:
            continue
        cut = set(np.concatenate([slot.refs for slot in group.slots] or [np.zeros(0, np.uint32)]).tolist())
        seen = {int(obj) for obj in graph.roots.targets if not is_new[obj]}
        waiting = list(seen)
        while waiting:
            for ref in graph.references(waiting.pop()):
                target = int(graph.ref_targets[ref])
                if ref not in cut and graph.kind(ref) != Kind.WEAK and target not in seen:
                    seen.add(target)
                    waiting.append(target)
        assert not seen & set(group.heads.tolist())


def _search(before: DrawnHeap, after: DrawnHeap) -> tuple[LeakSearch, np.ndarray]:
    survivors = find_survivors(before, after)
    reach = explore(after, survivors, liveness(after))
    return find_leaks(reach, new_graph(reach), runs=5, limits=Limits()), survivors.is_new
