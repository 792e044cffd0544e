"""Capsules that a command was pointed at, read back: only the dataclasses of the analysis are built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from leakscan.analysis.capsule import CAPSULE_VERSION, LARGEST_CAPSULE_BYTES, Capsule
from leakscan.errors import UsageError
from leakscan.heap.sniff import CAPSULE_FORMAT, is_capsule
from leakscan.json_values import NotAnAnswer, read_as

LARGEST_READ_BYTES: Final = 20 * LARGEST_CAPSULE_BYTES


def capsule_at(paths: list[Path], *, type_name: str | None = None) -> Capsule | None:
    """The capsule when `paths` is one, else None. UsageError: it is asked for a type of its own."""
    if len(paths) != 1 or not is_capsule(paths[0]):
        return None
    if type_name is not None:
        raise UsageError(f"{paths[0]} is a capsule: --type needs the heap", hint=f"leakscan diff {paths[0]}")
    return read_capsule(paths[0])


def read_capsule(path: Path) -> Capsule:
    """The capsule in that file. NotAnAnswer: it is none, or it was damaged or made by hand."""
    hint = "make it again with `leakscan bundle`"
    try:
        if path.stat().st_size > LARGEST_READ_BYTES:
            raise NotAnAnswer(f"{path} is too large to be a capsule", hint=hint)
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise NotAnAnswer(f"cannot read {path} as a capsule: {error}", hint=hint) from None
    if not isinstance(content, dict) or content.pop("format", "") != CAPSULE_FORMAT:
        raise NotAnAnswer(f"{path} is not a capsule", hint=hint)
    version = content.pop("version", None)
    if version != CAPSULE_VERSION:
        raise NotAnAnswer(
            f"{path} is a capsule of version {version!r}; this leakscan reads {CAPSULE_VERSION}",
            hint="use the leakscan that wrote it, or a newer one",
        )
    capsule = read_as(Capsule, content)
    if not capsule.findings or len(capsule.answers) not in (0, 2 ** len(capsule.patterns)):
        raise NotAnAnswer(f"{path} is damaged: it lacks findings or answers", hint=hint)
    return capsule
