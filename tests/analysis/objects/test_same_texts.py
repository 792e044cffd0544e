"""Texts that occur often are found by hash and length."""

import numpy as np

from heaps import heap
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.texts import same_sizes, same_texts, with_same_text


def hashed(drawing, hashes):
    """The heap, with (length, hash) for some objects."""
    graph = heap(drawing)
    rows = sorted((graph[name], *told) for name, told in hashes.items())
    objects, lengths, values = (np.array(column) for column in zip(*rows, strict=True))
    # The drawn heap is as good as one that a recorder wrote with these columns.
    graph.__dict__.update(
        text_objects=objects.astype(np.uint32),
        text_lengths=lengths.astype(np.uint32),
        text_hashes=values.astype(np.uint64),
    )
    return graph


# Nothing holds g.
DRAWING = """
    root -> a, b, c, d, e, f
    a: str size=60; b: str size=60; c: str size=60; d: bytes size=60; e: str size=500; f: str size=500
    g: str size=60
"""
HASHES = {"a": (11, 7), "b": (11, 7), "c": (12, 7), "d": (11, 7), "e": (450, 9), "f": (450, 9), "g": (11, 7)}


def test_the_text_that_weighs_most_together_comes_first():
    found = same_texts(Heap(hashed(DRAWING, HASHES)))
    assert [(row.length, row.count, row.shallow_bytes) for row in found] == [(450, 2, 1000), (11, 2, 120)]


def test_another_length_another_type_and_what_is_not_live_are_not_the_same_text():
    graph = hashed(DRAWING, HASHES)
    found = with_same_text(Heap(graph), graph["a"])
    assert found.tolist() == sorted([graph["a"], graph["b"]])


def test_where_no_hash_is_known_the_sizes_are_told():
    looked = Heap(heap(DRAWING))
    assert same_texts(looked) == ()
    assert [(row.type_name, row.size, row.count) for row in same_sizes(looked)] == [
        ("str", 500, 2),
        ("str", 60, 3),
    ]
