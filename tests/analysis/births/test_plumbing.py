"""Nodes of a context's trie are made anew with each change: they are the old context."""

from __future__ import annotations

from heaps import heap
from leakscan.analysis.births.plumbing import without_plumbing
from leakscan.analysis.births.survivors import find_survivors

OLD = "root -> context; context: _contextvars.Context"


def test_nodes_on_all_levels_of_a_trie_are_the_old_context():
    levels = " ".join(f"n{at} -[0]-> n{at + 1}; n{at}: hamt_bitmap_node birth=1;" for at in range(8))
    after = heap(f"{OLD}; context -> trie -> n0; trie: hamt birth=1; {levels} n8: app.Value birth=1")
    # The trie, seven levels, a node of collisions, and the value.
    kept = without_plumbing(after, find_survivors(heap(OLD, meta={"births": True}), after))
    assert after.spell(kept.objects) == ["n8"]


def test_the_contexts_of_new_threads_are_theirs_and_what_lies_in_them_is_not():
    """A worker that calls into a loop is given one: the threads are the leak, not their contexts."""
    after = heap(
        f"{OLD}; interpreter context of the thread -> a; interpreter context of the thread -> b;"
        "interpreter context of the thread -> t; context -> t; b -> trie -> v; trie: hamt birth=2;"
        "a: _contextvars.Context birth=1; b: _contextvars.Context birth=2; t: _contextvars.Context birth=3;"
        "v: app.Value birth=2"
    )
    kept = without_plumbing(after, find_survivors(heap(OLD, meta={"births": True}), after))
    assert after.spell(kept.objects) == ["t", "v"]
