"""`native.json` of a capture: what memray saw that was not freed, by stack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leakscan.errors import CaptureError

NATIVE_FILE: Final = "native.json"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class TracedSite:
    """Blocks that one stack allocated and nothing freed. `stack`: (function, file, line), innermost first.

    `owner`: whose memory it is as far as the stack tells: `objects` (Python's own), `numpy arrays`, or "".
    """

    bytes: int
    blocks: int
    owner: str
    stack: tuple[tuple[str, str, int], ...]


def traced_sites(directory: Path) -> tuple[TracedSite, ...]:
    """What was traced, the most bytes first; () when nothing was. CaptureError: the file is damaged."""
    path = directory / NATIVE_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("version", 0) > _VERSION:
            raise CaptureError(f"{path} was written by a newer leakscan", hint="upgrade leakscan to read it")
        return tuple(
            TracedSite(
                int(site["bytes"]),
                int(site["blocks"]),
                str(site["owner"]),
                tuple((str(function), str(file), int(line)) for function, file, line in site["stack"]),
            )
            for site in found["sites"]
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CaptureError(f"{path} is damaged: {error!r}", hint="capture again with --native") from error
