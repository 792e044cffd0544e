"""Attach to fixtures/chat_service again and again while clients stream from it, and see what it costs them.

Usage: attach_soak.py [--attaches 1000] [--clients 8] [--every-ms 250] [--python PATH] [--untimed]

Prints one JSON object. Exit code 1: a reply was lost, an attach failed, the service holds more than before
(memory, descriptors, threads, mappings), or the 99th percentile of the waits between tokens moved by more
than the longest pause stated and what it moves by itself from one quiet window to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "analyzer"), str(ROOT / "fixtures")]

from chat_service.load import percentile  # noqa: E402
from chat_service.started import Started, started  # noqa: E402
from leakscan.capture.process.attach import Attachment  # noqa: E402
from leakscan.errors import LeakscanError  # noqa: E402

WARM_UP_ATTACHES = 5
"""The first ones leave what is made once: an arena of malloc for the agent's thread, grown tables."""
SLACK = {"rss_bytes": 4_000_000, "descriptors": 4, "mappings": 20}
"""What a service's own connections and allocators move by; a thousand leaks would be far more."""


class Clients:
    """A process of clients; `stop` waits for it and gives what they saw."""

    def __init__(self, service: Started, clients: int, seconds: float) -> None:
        command = [sys.executable, "-m", "chat_service", "load", service.url, "--leave-one-in", "0"]
        command += ["--clients", str(clients), "--seconds", str(seconds)]
        self._process = subprocess.Popen(command, cwd=ROOT / "fixtures", stdout=subprocess.PIPE, text=True)

    def seen(self) -> dict[str, Any]:
        output, _ = self._process.communicate()
        return json.loads(output)  # type: ignore[no-any-return]

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None


def holdings(pid: int) -> dict[str, int]:
    folder = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return {
        "rss_bytes": int(status["VmRSS"].split()[0]) * 1024,
        "threads": int(status["Threads"]),
        "descriptors": len(os.listdir(folder / "fd")),
        "mappings": len((folder / "maps").read_text().splitlines()),
        "children": len((folder / "task" / str(pid) / "children").read_text().split()),
        "private_folders": len(list(Path("/tmp").glob(f"leakscan-attach-{pid}-*"))),
    }


@dataclass
class Attaches:
    """What the attaches of all windows took, in milliseconds."""

    count: int = 0
    pause: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def attach(self, pid: int, into: Path) -> None:
        start = time.monotonic()
        self.count += 1
        try:
            with Attachment(pid) as target:
                taken = target.snapshot(into / "soak.heap")
        except LeakscanError as error:
            self.failures.append(error.message)
            return
        self.pause.append(taken.pause_seconds * 1000)
        self.waited.append(taken.waited_seconds * 1000)
        self.total.append((time.monotonic() - start) * 1000)

    def figures(self) -> dict[str, Any]:
        waits = {"pause_ms": self.pause, "waited_ms": self.waited, "total_ms": self.total}
        return {"attaches": self.count, "failures": self.failures[:3]} | {
            name: {
                "median": round(median(each), 2),
                "p99": round(percentile(each, 99), 2),
                "max": round(max(each), 2),
            }
            for name, each in waits.items()
            if each
        }


def soak(options: argparse.Namespace) -> dict[str, Any]:
    """Windows of load, by turns left alone and attached to, so that the noise of the machine is in both."""
    attaches, warm_up = Attaches(), Attaches()
    quiet: list[dict[str, Any]] = []
    attached_to: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, started("--fixed", python=options.python) as service:
        into = Path(folder)
        # More at once than later: the service makes its own threads and buffers when it first needs them.
        Clients(service, options.clients * 4, options.window).seen()
        for _ in range(WARM_UP_ATTACHES):
            warm_up.attach(service.pid, into)
        before = holdings(service.pid)
        until = time.monotonic() + options.minutes * 60
        while attaches.count < options.attaches and time.monotonic() < until:
            quiet.append(Clients(service, options.clients, options.window).seen())
            clients = Clients(service, options.clients, options.window)
            while clients.is_running and attaches.count < options.attaches:
                due = time.monotonic() + options.every_ms / 1000
                attaches.attach(service.pid, into)
                time.sleep(max(0.0, due - time.monotonic()))
            attached_to.append(clients.seen())
        after = holdings(service.pid)
    return {
        "attached": attaches.figures(),
        "clients": {"quiet": together(quiet), "attached_to": together(attached_to)},
        "service": {"before": before, "after": after},
    }


def together(windows: list[dict[str, Any]]) -> dict[str, Any]:
    # On a busy machine a short window may end before a client has had two parts of a reply.
    p99 = sorted(window["gap_ms"]["p99"] for window in windows if "gap_ms" in window) or [0.0]
    return {
        "windows": len(windows),
        **{name: sum(window[name] for window in windows) for name in ("replies", "lost", "errors")},
        "first_errors": [error for window in windows for error in window["first_errors"]][:3],
        "gap_p99_ms": {"least": p99[0], "median": median(p99), "most": p99[-1]},
    }


def complaints(result: dict[str, Any], *, is_timed: bool) -> list[str]:
    found = [f"an attach failed: {message}" for message in result["attached"]["failures"]]
    for phase, seen in result["clients"].items():
        if not seen["replies"]:
            found.append(f"{phase}: no reply came at all")
        if seen["lost"] or seen["errors"]:
            found.append(
                f"{phase}: {seen['lost']} replies lost, {seen['errors']} errors {seen['first_errors']}"
            )
    before, after = result["service"]["before"], result["service"]["after"]
    for name, value in after.items():
        if value > before[name] + SLACK.get(name, 0):
            found.append(f"{name}: {before[name]} -> {value}")
    quiet, attached_to = (result["clients"][phase]["gap_p99_ms"] for phase in ("quiet", "attached_to"))
    result["p99_moved_ms"] = round(attached_to["median"] - quiet["median"], 2)
    allowed = result["attached"].get("pause_ms", {}).get("max", 0.0) + quiet["most"] - quiet["least"]
    if is_timed and result["p99_moved_ms"] > allowed:
        found.append(f"p99 of the waits moved by {result['p99_moved_ms']} ms, more than {allowed:.2f} ms")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--attaches", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--every-ms", type=float, default=250.0)
    parser.add_argument("--window", type=float, default=15.0, help="seconds of load at a time")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so long, whatever the number")
    parser.add_argument("--python", default=sys.executable, help="that runs the service")
    parser.add_argument("--untimed", action="store_true", help="do not judge the waits: for a busy machine")
    options = parser.parse_args()
    result = soak(options)
    found = complaints(result, is_timed=not options.untimed)
    print(json.dumps({**result, "complaints": found}, indent=1))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
