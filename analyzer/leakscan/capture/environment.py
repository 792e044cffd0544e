"""Which interpreter is the project's, when nobody names one; and what leakscan shares with it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import Final

DISTRIBUTION: Final = "leakscan-heap"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class ProjectPython:
    """`python` is what `--python` would name, None leakscan's own interpreter. `how` says why, in words."""

    python: str | None
    how: str


def project_python(
    named: str | None, *, target: str, folder: Path, environment: Mapping[str, str]
) -> ProjectPython:
    """The one that is named, else that of the active virtual environment, else of the nearest `.venv`.

    Looked for from `folder` and from the target's file upwards, as far as the repository goes. An
    environment that leakscan itself runs in wins over a `.venv` beside it: tox and nox make such ones.
    """
    if named is not None:
        return ProjectPython(named, "--python")
    active = environment.get("VIRTUAL_ENV", "")
    if active and _holds_python(Path(active)):
        return _unless_own(Path(active), "VIRTUAL_ENV")
    file = Path(target.partition("::")[0] if "::" in target else target.rpartition(":")[0])
    starts = [folder, *([(folder / file).parent] if file.suffix == ".py" else [])]
    for start in starts:
        found = _nearest(start.resolve())
        if found is not None:
            if Path(sys.prefix).resolve().is_relative_to(found.parent):
                break
            return _unless_own(found, str(found.name))
    return ProjectPython(None, "no VIRTUAL_ENV, no .venv")


def shared_with_program(distributions: Mapping[str, tuple[str, tuple[str, ...]]]) -> list[str]:
    """Which of leakscan's dependencies something else needs, too: `numpy 1.24.0`.

    `distributions`: name -> (version, names that it requires), of one environment.
    """
    ours = _reachable(DISTRIBUTION, distributions)
    others = {
        need
        for name, (_, needs) in distributions.items()
        if name != DISTRIBUTION and name not in ours
        for need in needs
    }
    return [f"{name} {distributions[name][0]}" for name in sorted(ours & others)]


def own_distributions() -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is installed where leakscan runs, as `shared_with_program` takes it."""
    found = {}
    for each in metadata.distributions():
        # Not through its properties: each of them parses the whole file, and long descriptions are in it.
        head = HeaderParser().parsestr((each.read_text("METADATA") or "").partition("\n\n")[0])
        if head["Name"]:
            needs = head.get_all("Requires-Dist", [])
            asked = tuple(_normal(need) for need in needs if "extra ==" not in need)
            found[_normal(head["Name"])] = (head["Version"] or "", asked)
    return found


def _reachable(start: str, distributions: Mapping[str, tuple[str, tuple[str, ...]]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for need in distributions.get(waiting.pop(), ("", ()))[1]:
            if need in distributions and need not in seen:
                seen.add(need)
                waiting.append(need)
    return seen


def _normal(requirement: str) -> str:
    named = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", named.group() if named else requirement).lower()


def _nearest(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if _holds_python(folder / ".venv"):
            return folder / ".venv"
        if (folder / ".git").exists():
            break
    return None


def _unless_own(environment: Path, how: str) -> ProjectPython:
    is_own = environment.resolve() == Path(sys.prefix).resolve()
    return ProjectPython(None if is_own else str(environment), how)


def _holds_python(environment: Path) -> bool:
    return (environment / "bin" / "python").exists()
