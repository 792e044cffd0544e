"""What is told of one object. Objects are known by their number in the snapshot, written `#17`."""

from __future__ import annotations

from dataclasses import dataclass

from leakscan.analysis.results.findings import Path


@dataclass(frozen=True, slots=True)
class Named:
    """An object as others see it. `label` is the slot that it is known from, as cut patterns write it."""

    object: int
    label: str
    type_name: str
    name: str
    shallow_bytes: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference as a developer would write it, and the object at its other end.

    `other` is what a field leads to, or the object that a holder's reference comes from. `is_only`: nothing
    else keeps what it leads to alive. `is_weak`: it keeps nothing alive. `is_unused`: a variable that a scope
    of JavaScript keeps and no function that lives can use. `number` is that of the snapshot.
    """

    text: str
    kind: str
    other: Named
    is_only: bool
    is_weak: bool
    is_unused: bool
    number: int


@dataclass(frozen=True, slots=True)
class ObjectView:
    """All that one snapshot says about one object, values left out.

    `birth` is the run it was born in, 0 before the baseline, None when it is not known or while leakscan
    waited. `fields` and `holders` are at most as many as asked for, the `*_count` say how many there are.
    `dominators` go from its immediate dominator up to a root's object: each alone keeps it alive.
    `dominated` are the biggest objects that would go with it. `paths` enter it by different references; the
    `object` of a step is its number plus one.
    """

    this: Named
    pattern: str
    refcount: int | None
    birth: int | None
    birth_note: str
    file: str
    line: int
    site: str
    retained_count: int
    is_live: bool
    has_finalizer: bool
    roots: tuple[str, ...]
    fields: tuple[Reference, ...]
    field_count: int
    holders: tuple[Reference, ...]
    holder_count: int
    dominators: tuple[Named, ...]
    dominated: tuple[Named, ...]
    dominated_count: int
    paths: tuple[Path, ...]
    paths_omitted: int
    """further ways to it that were met and not written"""


@dataclass(frozen=True, slots=True)
class Listed:
    """Objects that something asked for: how many there are, and the biggest of them."""

    count: int
    shallow_bytes: int
    objects: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was asked for: `listed` are all the objects it means, `view` is the one that retains most."""

    asked: str
    listed: Listed
    view: ObjectView
