"""Attach to fixtures/chat_service again and again while clients stream from it, and see what it costs them.

Usage: attach_soak.py [--attaches 1000] [--clients 8] [--every-ms 250] [--python PATH] [--untimed]

Three phases with the same load: without attaching, with it, without it again. Prints one JSON object. Exit
code 1: a reply was lost, an attach failed, the service holds more than before (memory, descriptors, threads,
mappings), or the 99th percentile of the waits between tokens moved by more than the longest pause stated
and what it moved by itself between the two quiet phases.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "analyzer"), str(ROOT / "fixtures")]

from chat_service.load import percentile  # noqa: E402
from chat_service.started import Started, started  # noqa: E402
from leakscan.capture.attach import Attachment  # noqa: E402
from leakscan.errors import LeakscanError  # noqa: E402

QUIET_SECONDS = 10.0
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


def attach_all(service: Started, count: int, every_seconds: float, into: Path) -> dict[str, Any]:
    pauses, waits, totals, failures = [], [], [], []
    for _ in range(count):
        start = time.monotonic()
        try:
            with Attachment(service.pid) as target:
                taken = target.snapshot(into / "soak.heap")
            pauses.append(taken.pause_seconds * 1000)
            waits.append(taken.waited_seconds * 1000)
            totals.append((time.monotonic() - start) * 1000)
        except LeakscanError as error:
            failures.append(error.message)
        time.sleep(max(0.0, every_seconds - (time.monotonic() - start)))
    figures = {"pause_ms": pauses, "waited_ms": waits, "total_ms": totals}
    return {"attaches": count, "failures": failures} | {
        name: {
            "median": round(median(each), 2),
            "p99": round(percentile(each, 99), 2),
            "max": round(max(each), 2),
        }
        for name, each in figures.items()
        if each
    }


def soak(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, started("--fixed", python=options.python) as service:
        into = Path(folder)
        Clients(service, options.clients, options.quiet_seconds / 4).seen()
        attach_all(service, WARM_UP_ATTACHES, 0.0, into)
        quiet = Clients(service, options.clients, options.quiet_seconds).seen()
        before = holdings(service.pid)
        seconds = options.attaches * options.every_ms / 1000 + 1
        clients = Clients(service, options.clients, seconds)
        attached = attach_all(service, options.attaches, options.every_ms / 1000, into)
        loaded = clients.seen()
        quiet_again = Clients(service, options.clients, options.quiet_seconds).seen()
        after = holdings(service.pid)
    return {
        "attached": attached,
        "clients": {"quiet": quiet, "attached_to": loaded, "quiet_again": quiet_again},
        "service": {"before": before, "after": after},
    }


def complaints(result: dict[str, Any], *, is_timed: bool) -> list[str]:
    found = [f"an attach failed: {message}" for message in result["attached"]["failures"][:3]]
    for phase, seen in result["clients"].items():
        if seen["lost"] or seen["errors"]:
            found.append(
                f"{phase}: {seen['lost']} replies lost, {seen['errors']} errors {seen['first_errors']}"
            )
    before, after = result["service"]["before"], result["service"]["after"]
    for name, value in after.items():
        if value > before[name] + SLACK.get(name, 0):
            found.append(f"{name}: {before[name]} -> {value}")
    p99 = {phase: seen["gap_ms"]["p99"] for phase, seen in result["clients"].items()}
    quiet = max(p99["quiet"], p99["quiet_again"])
    by_itself = abs(p99["quiet"] - p99["quiet_again"])
    result["p99_moved_ms"] = round(p99["attached_to"] - quiet, 2)
    allowed = result["attached"].get("pause_ms", {}).get("max", 0.0) + by_itself
    if is_timed and result["p99_moved_ms"] > allowed:
        found.append(f"p99 of the waits moved by {result['p99_moved_ms']} ms, more than {allowed:.2f} ms")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--attaches", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--every-ms", type=float, default=250.0)
    parser.add_argument("--quiet-seconds", type=float, default=QUIET_SECONDS)
    parser.add_argument("--python", default=sys.executable, help="that runs the service")
    parser.add_argument("--untimed", action="store_true", help="do not judge the waits: for a busy machine")
    options = parser.parse_args()
    result = soak(options)
    found = complaints(result, is_timed=not options.untimed)
    print(json.dumps({**result, "complaints": found}, indent=1))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
