"""Type and step names as the reports write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from leakscan.analysis.results.findings import Findings, Leak, Path, Step
from leakscan.wording import visible

CONTAINERS: Final = frozenset(
    ("dict", "list", "tuple", "set", "frozenset", "cell", "collections.OrderedDict", "collections.deque")
)
"""Types that a path need not name: what is read through them says enough."""


_WORTH_LEAVING_OUT: Final = 3
_COMPILED: Final = (".so", ".pyd", ".dll", ".dylib")


@dataclass(frozen=True)
class TypeNames:
    """Short names for the types of one report; a name that two types share stays whole."""

    shared: frozenset[str] = field(default_factory=frozenset)

    def leak(self, leak: Leak) -> str:
        """What leaks: its type, or for builtin objects what owns them."""
        return visible(leak.name) if leak.name else self.short(leak.type_name)

    def short(self, type_name: str) -> str:
        last = _last_part(type_name)
        return visible(type_name if last in self.shared else last)


def type_names(findings: Findings) -> TypeNames:
    """Short names that are unambiguous among all the types that the report may show."""
    owners: dict[str, set[str]] = {}
    for name in _types_shown(findings):
        owners.setdefault(_last_part(name), set()).add(name)
    return TypeNames(frozenset(last for last, names in owners.items() if len(names) > 1))


def short_names(names: Iterable[str]) -> TypeNames:
    """Short names that are unambiguous among `names`."""
    owners: dict[str, set[str]] = {}
    for name in names:
        owners.setdefault(_last_part(name), set()).add(name)
    return TypeNames(frozenset(last for last, full in owners.items() if len(full) > 1))


def step_text(step: Step, names: TypeNames) -> str:
    """`._runs: dict`, `[*]: function on_chunk`: a reference and what it leads to."""
    return f"{visible(step.reference)}: {object_text(step, names)}"


def object_text(step: Step, names: TypeNames) -> str:
    """`Workflow`, `function on_chunk`: the object that a step leads to."""
    name = visible(step.name)
    kind = names.short(step.type_name)
    return f"{kind} {name}" if name and name != kind else kind


def place(file: str, line: int) -> str:
    """`workflow.py:31`, or "" when the file is unknown or nothing that a person can open."""
    if not file or file.endswith(_COMPILED):
        return ""
    return f"{visible(file)}:{line}" if line else visible(file)


def path_sentence(path: Path, names: TypeNames, *, above: Path) -> str:
    """The whole path on one line, for "also held by": containers are read through, not named.

    A long beginning that it has in common with the path `above` is left out, and said to be.
    """
    shared = _shared_steps(path, above)
    parts = [visible(path.root)]
    if shared >= _WORTH_LEAVING_OUT:
        parts = [f"as above to {step_text(path.steps[shared - 1], names)}"]
    else:
        shared = 0
    pending = ""
    last = len(path.steps) - 1
    for number, step in enumerate(path.steps[shared:], shared):
        pending += visible(step.reference)
        if step.type_name in CONTAINERS and number != last and not step.name:
            continue
        at_end = number == last or step.is_survivor
        parts.append(pending if at_end else f"{pending}: {object_text(step, names)}")
        pending = ""
    return " > ".join(parts)


def _shared_steps(one: Path, other: Path) -> int:
    if one.root != other.root:
        return 0
    shared = 0
    for step, beside in zip(one.steps, other.steps, strict=False):
        if (step.reference, step.type_name, step.name) != (beside.reference, beside.type_name, beside.name):
            break
        shared += 1
    return min(shared, len(one.steps) - 1)


def _last_part(type_name: str) -> str:
    return type_name.rpartition(".")[2] or type_name


def _types_shown(findings: Findings) -> Iterable[str]:
    for row in findings.growth:
        yield row.type_name
    for leak in (*findings.leaks, *findings.others, *findings.noise):
        yield from _types_of(leak)
    for cycle in findings.cycles:
        yield from cycle.type_names


def _types_of(leak: Leak) -> Iterable[str]:
    yield leak.type_name
    for path in (leak.path, *leak.also_held_by):
        for step in path.steps:
            yield step.type_name
    for type_name, _, _ in leak.contents:
        yield type_name
