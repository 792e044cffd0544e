"""One row of the tables of what libraries and runtimes keep by design."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRule:
    """A place that a library fills by itself.

    `modules` are separated by spaces, `name.*` stands for a package with all its modules; `name` is a
    pattern for the first step, the module's global. For roots that are no modules, `root` is a pattern for
    the root; `is_direct` when the root itself must hold the survivors. `anywhere` is a pattern for any
    step's reference. `is_bounded`: the place cannot grow without limit, or the library lets go by itself.
    `is_runner`: it also holds what is the tests' own, which the rule does not speak for. `library` fills the
    place in `versions`, seen there; `example` is a path that this row, and no earlier one, is about.
    """

    reason: str
    library: str
    versions: str
    example: str
    modules: str = ""
    name: str = ""
    root: str = ""
    anywhere: str = ""
    is_direct: bool = False
    is_bounded: bool = False
    is_runner: bool = False
