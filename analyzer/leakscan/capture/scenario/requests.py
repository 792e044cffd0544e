"""Requests to a web application as they are written on a command line and in `.http` files."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from leakscan.errors import UsageError

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_EXPECTED: Final = re.compile(r"\s*=>\s*([1-5]\d\d)\s*\Z")
_SEPARATOR: Final = re.compile(r"^###.*$", re.M)
_VARIABLE: Final = re.compile(r"\{\{.*?\}\}")
_FORM: Final = re.compile(r"[^\s{}\[\]=&]+=[^\s]*\Z")


@dataclass(frozen=True, slots=True)
class WebRequest:
    """`path` with its query; `status`: the one that is expected, None for anything below 400."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str
    status: int | None

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        return asdict(self)


def parse_request(text: str) -> WebRequest:
    """`/path`, `GET /path`, `POST /chat {"text": "hi"}`, each with `=> 404` behind where that is expected."""
    line, status = _without_status(text.strip())
    first, _, rest = line.partition(" ")
    method, where = ("GET", line) if first.startswith("/") else (first.upper(), rest.strip())
    path, _, body = where.partition(" ")
    body = body.strip()
    return _checked(text, method, path, (), body, status)


def parse_requests_file(file: Path) -> tuple[WebRequest, ...]:
    """Those of an `.http` file: `###` between two, a request line, headers, an empty line, a body."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", hint="name an .http file") from error
    variable = _VARIABLE.search(text)
    if variable is not None:
        raise UsageError(f"{file}: {variable.group()} is a variable", hint="write its value instead")
    found = tuple(_of_block(block) for block in _SEPARATOR.split(text) if _lines_of(block))
    if not found:
        raise UsageError(f"{file} has no request", hint="write `GET /path`, with `###` between two")
    return found


def _lines_of(block: str) -> list[str]:
    lines = [line for line in block.splitlines() if not line.startswith(("#", "//", "@"))]
    while lines and not lines[0].strip():
        lines.pop(0)
    return lines


def _of_block(block: str) -> WebRequest:
    lines = _lines_of(block)
    line, status = _without_status(lines[0].strip())
    parts = line.split()
    method, path = ("GET", parts[0]) if len(parts) == 1 else (parts[0].upper(), parts[1])
    headers = []
    number = 1
    while number < len(lines) and lines[number].strip():
        name, colon, value = lines[number].partition(":")
        if not colon:
            raise UsageError(f"{lines[number]!r} is no header", hint="an empty line comes before the body")
        headers.append((name.strip(), value.strip()))
        number += 1
    body = "\n".join(lines[number + 1 :]).strip()
    return _checked(lines[0], method, path, tuple(headers), body, status)


def _without_status(line: str) -> tuple[str, int | None]:
    found = _EXPECTED.search(line)
    return (line, None) if found is None else (line[: found.start()], int(found[1]))


def _checked(
    text: str, method: str, path: str, headers: tuple[tuple[str, str], ...], body: str, status: int | None
) -> WebRequest:
    if method not in _METHODS or not path:
        raise UsageError(
            f"{text!r} is not a request", hint="""--request 'GET /path' or 'POST /chat {"text": "hi"}'"""
        )
    if "://" in path:
        url = urlsplit(path)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if not any(name.lower() == "host" for name, _ in headers):
            headers = (("Host", url.netloc), *headers)
    if not path.startswith("/"):
        raise UsageError(f"{path!r} is not a path", hint="it begins with a slash: --request 'GET /path'")
    # As a browser sends it.
    path = quote(path, safe=_ASCII, errors="surrogateescape")
    for name, value in headers:
        if not f"{name}{value}".isascii():
            raise UsageError(
                f"the header {name} is no ASCII",
                hint="a header takes ASCII; text of another kind goes encoded",
            )
    kind = _content_type(body)
    if kind and not any(name.lower() == "content-type" for name, _ in headers):
        headers = (*headers, ("Content-Type", kind))
    return WebRequest(method, path, headers, body, status)


def _content_type(body: str) -> str:
    if not body:
        return ""
    try:
        json.loads(body)
    except ValueError:
        return "application/x-www-form-urlencoded" if _FORM.match(body) else "text/plain; charset=utf-8"
    return "application/json"
