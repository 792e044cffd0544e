"""Ask a running Node to open its inspector, by SIGUSR1, and find where it listens."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from leakscan.capture.process.vitals import Process, ProcessGone
from leakscan.errors import AttachError

_WAIT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_LISTENING: Final = "0A"
_BY_HAND: Final = "start it with `node --inspect`, and give the address: leakscan capture --inspect HOST:PORT"


def open_inspector(pid: int) -> str:
    """HOST:PORT of the inspector of that Node, which stays open. AttachError: none came."""
    if pid <= 0:
        raise AttachError(f"{pid} is no process", hint="`ps -ef` lists the processes")
    process = Process(pid)
    try:
        # Any other program is ended by this signal.
        program = os.path.basename(_read_link(pid))
        if not program.startswith("node"):
            raise AttachError(
                f"process {pid} runs {program or 'a program that cannot be read'}, not Node",
                hint="of CPython: leakscan attach PID",
            )
        known = _inspector_among(_ports_of(pid))
        if known is not None:
            return known
        process.send(signal.SIGUSR1)
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            found = _inspector_among(_ports_of(pid))
            if found is not None:
                return found
            time.sleep(_POLL_SECONDS)
    except ProcessGone as error:
        raise AttachError(f"process {pid} has ended", hint="") from error
    finally:
        process.close()
    raise AttachError(
        f"process {pid} opened no inspector within {_WAIT_SECONDS:g} seconds",
        hint=f"it handles SIGUSR1 itself, is busy, or its port is taken; {_BY_HAND}",
    )


def _read_link(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except PermissionError as error:
        raise AttachError(
            f"process {pid} belongs to another user", hint="run as that user, or with sudo"
        ) from error
    except OSError:
        return ""


def _ports_of(pid: int) -> list[str]:
    """HOST:PORT of the TCP sockets that the process listens on, in this machine's network or its own."""
    sockets = set()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(entry.path)
            except OSError:
                continue  # closed meanwhile
            if target.startswith("socket:["):
                sockets.add(target[len("socket:[") : -1])
    except OSError as error:
        raise ProcessGone from error
    found = []
    for table, host in (("tcp", "127.0.0.1"), ("tcp6", "[::1]")):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and fields[9] in sockets:
                found.append(f"{host}:{int(fields[1].rpartition(':')[2], 16)}")
    return sorted(found)


def _inspector_among(addresses: list[str]) -> str | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for address in addresses:
        try:
            with opener.open(f"http://{address}/json/version", timeout=1.0) as answer:
                if "Protocol-Version" in json.loads(answer.read(1 << 16)):
                    return address
        except (urllib.error.URLError, OSError, ValueError):
            continue  # one of the program's own
    return None
