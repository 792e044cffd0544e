"""Where compiled JavaScript was written: source maps (version 3), beside scripts, in them, or in a folder."""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from leakscan.heap.source_files import regular_file

_DIGITS: Final = {
    character: value
    for value, character in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
_COMMENT: Final = b"sourceMappingURL="
_LARGEST_BYTES: Final = 1 << 28
_INLINE: Final = "data:"


@dataclass
class SourceMaps:
    """Finds and reads the map of each script once. `folder` is looked in first, by the script's name.

    What cannot be found or read is as if there were no map: a place then stays as V8 wrote it.
    """

    folder: Path
    _maps: dict[str, _Map | None] = field(default_factory=dict)

    def original(self, script: str, line: int, column: int) -> tuple[str, int] | None:
        """(file, line) that a place in `script` was compiled from; lines count from 1, columns from 0."""
        if script not in self._maps:
            self._maps[script] = _map_of(script, self.folder)
        found = self._maps[script]
        return None if found is None else found.original(line, column)


@dataclass
class _Map:
    """Segments of each line, decoded as far as was asked: the fields of a segment count on from the last."""

    sources: list[str]
    lines: list[str]
    decoded: list[tuple[list[int], list[tuple[int, int]]]] = field(default_factory=list)
    source: int = 0
    source_line: int = 0

    def original(self, line: int, column: int) -> tuple[str, int] | None:
        if not 0 < line <= len(self.lines):
            return None
        while len(self.decoded) < line:
            self._decode(self.lines[len(self.decoded)])
        columns, targets = self.decoded[line - 1]
        # A function begins at its first token: what stands at or before it.
        at = bisect_right(columns, column) - 1
        if not columns:
            return None
        source, source_line = targets[max(at, 0)]
        return (self.sources[source], source_line + 1) if 0 <= source < len(self.sources) else None

    def _decode(self, text: str) -> None:
        columns: list[int] = []
        targets: list[tuple[int, int]] = []
        column = 0
        for segment in text.split(","):
            fields = _numbers(segment)
            if not fields:
                continue
            column += fields[0]
            if len(fields) >= 4:
                self.source += fields[1]
                self.source_line += fields[2]
                columns.append(column)
                targets.append((self.source, self.source_line))
        self.decoded.append((columns, targets))


def _numbers(segment: str) -> list[int]:
    """Base64 VLQ: six bits a character, the top one says that more follow, the lowest of all is the sign."""
    found, value, shift = [], 0, 0
    for character in segment:
        digit = _DIGITS.get(character)
        if digit is None or shift > 30:
            return []
        value |= (digit & 31) << shift
        if digit & 32:
            shift += 5
            continue
        found.append(-(value >> 1) if value & 1 else value >> 1)
        value = shift = 0
    return found


def _map_of(script: str, folder: Path) -> _Map | None:
    named = folder / f"{Path(script).name}.map"
    try:
        content = _read(named) if named.is_file() else None
        base = posixpath.dirname(script)
        if content is None:
            url = _url_in(Path(script))
            if url is None:
                return None
            if url.startswith(_INLINE):
                content = _inlined(url)
            else:
                beside = Path(script).parent / unquote(url)
                content, base = _read(beside), str(beside.parent)
        return None if content is None else _parsed(content, base)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _read(path: Path) -> bytes | None:
    found = regular_file(path, most_bytes=_LARGEST_BYTES)
    return None if found is None else found[0]


def _url_in(script: Path) -> str | None:
    """What the last `//# sourceMappingURL=` of a script says. A map inside it may be larger than the code."""
    content = _read(script) or b""
    at = content.rfind(_COMMENT)
    if at < 0:
        return None
    return content[at + len(_COMMENT) :].split(None, 1)[0].decode("utf-8", "replace").strip("'\"*/")


def _inlined(url: str) -> bytes | None:
    header, _, body = url.partition(",")
    try:
        return base64.b64decode(body) if header.endswith(";base64") else unquote(body).encode()
    except (binascii.Error, ValueError):
        return None


def _parsed(content: bytes, base: str) -> _Map:
    text = content.decode("utf-8", "replace")
    # Some servers put a line in front that no script would run.
    parsed: Any = json.loads(text.partition("\n")[2] if text.startswith(")]}") else text)  # Any: JSON
    root = str(parsed.get("sourceRoot") or "")
    sources = [posixpath.normpath(posixpath.join(base, root, str(name))) for name in parsed["sources"]]
    return _Map(sources, str(parsed["mappings"]).split(";"))
