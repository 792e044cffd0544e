"""Graphs to measure the kernels on: one like a real heap, and the shapes that hurt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leakscan.analysis.graph.kernels import Csr

Numbers = npt.NDArray[Any]  # any integer dtype


@dataclass(frozen=True)
class Shape:
    """A graph and its roots."""

    name: str
    csr: Csr
    roots: npt.NDArray[np.uint32]


def csr_of(object_count: int, sources: Numbers, targets: Numbers) -> Csr:
    """References sorted by source; those of one source keep their order."""
    order = np.argsort(sources, kind="stable")
    first = np.zeros(object_count + 1, np.uint64)
    np.cumsum(np.bincount(sources, minlength=object_count), out=first[1:])
    return Csr(first, np.ascontiguousarray(targets[order].astype(np.uint32)))


def heap(object_count: int, *, seed: int = 1) -> Shape:
    """About 3.2 references an object, many of them to anywhere: a heap grown old."""
    random = np.random.default_rng(seed)
    objects = np.arange(object_count)
    type_count = max(1, object_count // 800)
    recent = np.maximum(objects - 1 - random.geometric(0.02, object_count), 0)
    anywhere = (random.random(object_count) * objects).astype(np.int64)
    owner = np.where(random.random(object_count) < 0.95, recent, anywhere)
    kind = np.minimum((random.pareto(0.8, object_count) * 4).astype(np.int64), type_count - 1)
    extra = random.integers(0, object_count, int(object_count * 1.19))
    near = np.clip(extra + random.integers(-500, 500, len(extra)), 0, object_count - 1)
    shared = (random.random(len(extra)) ** 3 * object_count).astype(np.int64)
    other = np.where(random.random(len(extra)) < 0.6, near, shared)
    sources = np.concatenate([owner, objects, extra])
    targets = np.concatenate([objects, kind, other])
    roots = np.concatenate([[0], random.integers(0, object_count, 400)]).astype(np.uint32)
    return Shape("scattered", csr_of(object_count, sources, targets), roots)


def chain(object_count: int) -> Shape:
    """0 -> 1 -> 2 ..."""
    objects = np.arange(object_count - 1)
    return Shape("chain", csr_of(object_count, objects, objects + 1), first_object())


def doubly_linked(object_count: int) -> Shape:
    """A chain with a reference back at each link, held at both ends."""
    objects = np.arange(object_count - 1)
    sources = np.concatenate([objects, objects + 1])
    targets = np.concatenate([objects + 1, objects])
    roots = np.array([0, object_count - 1], np.uint32)
    return Shape("doubly linked", csr_of(object_count, sources, targets), roots)


def comb(object_count: int) -> Shape:
    """A chain whose links hold a payload each."""
    half = object_count // 2
    links = np.arange(half)
    sources = np.concatenate([links[:-1], links])
    targets = np.concatenate([links[:-1] + 1, links + half])
    return Shape("comb", csr_of(object_count, sources, targets), first_object())


def shared_comb(object_count: int) -> Shape:
    """A comb whose payloads are also held by a dict: what makes a plain common-ancestor walk quadratic."""
    half = object_count // 2 - 1
    links = np.arange(half)
    index = 2 * half
    sources = np.concatenate([links[:-1], links, np.full(half, index)])
    targets = np.concatenate([links[:-1] + 1, links + half, links + half])
    return Shape(
        "comb, payloads shared",
        csr_of(index + 1, sources, targets),
        np.array([0, index], np.uint32),
    )


def ladder(object_count: int) -> Shape:
    """Two chains with rungs both ways: every object is on a cycle with all others."""
    half = object_count // 2
    left = np.arange(half)
    right = left + half
    sources = np.concatenate([left[:-1], right[1:], left, right])
    targets = np.concatenate([left[1:], right[:-1], right, left])
    return Shape("ladder", csr_of(2 * half, sources, targets), first_object())


def cliques(object_count: int, *, size: int = 8) -> Shape:
    """Groups that all reference each other, in a ring of groups."""
    groups = object_count // size
    start = np.repeat(np.arange(groups) * size, size * (size - 1))
    inside = np.array([(a, b) for a in range(size) for b in range(size) if a != b])
    sources = start + np.tile(inside[:, 0], groups)
    targets = start + np.tile(inside[:, 1], groups)
    ring = np.arange(groups) * size
    return Shape(
        "cliques",
        csr_of(groups * size, np.concatenate([sources, ring]), np.concatenate([targets, np.roll(ring, -1)])),
        first_object(),
    )


def star(object_count: int) -> Shape:
    """One object references all others, and each of them references it."""
    others = np.arange(1, object_count)
    hub = np.zeros(object_count - 1, np.int64)
    return Shape(
        "star",
        csr_of(object_count, np.concatenate([hub, others]), np.concatenate([others, hub])),
        first_object(),
    )


def first_object() -> npt.NDArray[np.uint32]:
    return np.zeros(1, np.uint32)


HARD_SHAPES: tuple[Callable[[int], Shape], ...] = (
    chain,
    doubly_linked,
    comb,
    shared_comb,
    ladder,
    cliques,
    star,
)
