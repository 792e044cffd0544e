"""`leakscan watch`: the memory of one process, line by line, and actions when a threshold is passed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan watch 4312 --rss 1GB --growth 50MB/30s --do signal=TERM",
    "leakscan watch 4312 --rss 1GB --do snapshot=leak/ --do signal=TERM",
    "leakscan watch --for 10m -- python -m app",
    "leakscan watch --tree 4312 --rss 1GB --do series=leak/",
)

if TYPE_CHECKING:
    from leakscan.capture.process.vitals import Process
    from leakscan.capture.watch.tree import TreeEvent
    from leakscan.capture.watch.watch import Event, Rules


def watch(
    what: Annotated[
        list[str], argument(metavar="PID | -- COMMAND...", help="A process, or a command to start.")
    ],
    rss: Annotated[list[str] | None, option(metavar="SIZE", help="Act when RSS is above this.")] = None,
    growth: Annotated[
        list[str] | None, option(metavar="SIZE/TIME", help="Act when RSS grows this much: 50MB/30s.")
    ] = None,
    do: Annotated[
        list[str] | None,
        option(
            "--do",
            metavar="ACTION",
            help="snapshot=DIR, series=DIR, signal=TERM, command=..., webhook=URL; may be given again.",
        ),
    ] = None,
    every: Annotated[str, option(metavar="TIME", help="Time between two looks.")] = "1s",
    duration: Annotated[str | None, option("--for", metavar="TIME", help="Stop after this time.")] = None,
    cooldown: Annotated[str, option(metavar="TIME", help="Silence after an alarm.")] = "60s",
    alarms: Annotated[int, option(metavar="N", help="Act at most this often.")] = 3,
    dry_run: Annotated[bool, option("--dry-run", help="Say what would be done; do nothing.")] = False,
    series_every: Annotated[
        str, option(metavar="TIME", help="Time between two of the seven snapshots of a series.")
    ] = "30s",
    tree: Annotated[
        bool, option("--tree", help="Every Python process below it: the workers of a supervisor.")
    ] = False,
    live: Annotated[bool, option("--live", help="A screen that is drawn anew, not lines.")] = False,
    as_json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Watch a process; act on it when its memory passes a threshold."""
    from leakscan.capture.process.attach import interrupts_as_exceptions
    from leakscan.capture.process.vitals import Process
    from leakscan.capture.watch.actions import parse_action
    from leakscan.capture.watch.tree import watch_tree
    from leakscan.capture.watch.watch import Level, Rules, parse_growth
    from leakscan.capture.watch.watch import watch as watch_process
    from leakscan.errors import CaptureError
    from leakscan.units import parse_seconds, parse_size

    rules = Rules(
        thresholds=(*(Level(parse_size(s)) for s in rss or ()), *(parse_growth(g) for g in growth or ())),
        actions=tuple(parse_action(a) for a in do or ()),
        cooldown_seconds=parse_seconds(cooldown),
        most_alarms=alarms,
        is_dry_run=dry_run,
        series_seconds=parse_seconds(series_every),
    )
    _check(rules, is_screen=tree and live)
    seconds = parse_seconds(duration) if duration else float("inf")
    pid, started = _process_to_watch(what)
    try:
        try:
            opened = Process(pid)
        except CaptureError:
            if started is not None and started.poll() is not None:
                return _status_of(started)  # it ended before the first look
            raise
        with interrupts_as_exceptions(), closing(opened) as process:
            every_seconds = parse_seconds(every)
            if tree:
                of_all = watch_tree(process, rules, every_seconds=every_seconds, for_seconds=seconds)
                with closing(of_all):
                    _print_tree(of_all, as_json=as_json)
                return _status_of(started)
            looks = watch_process(process, rules, every_seconds=every_seconds, for_seconds=seconds)
            with closing(looks):
                _show(looks, process, is_live=live, as_json=as_json)
        return _status_of(started)
    finally:
        if started is not None and started.poll() is None:
            started.terminate()


def _status_of(started: subprocess.Popen[bytes] | None) -> int:
    """The command's own exit status, as a shell gives it, when it ended by itself; 0 otherwise."""
    status = started.poll() if started is not None else None
    if status is None:
        return 0
    return status if status >= 0 else 128 - status


def _check(rules: Rules, *, is_screen: bool) -> None:
    from leakscan.errors import UsageError

    if is_screen:
        raise UsageError("--live shows one process", hint="leave out --live, or --tree")
    if rules.actions and not rules.thresholds:
        raise UsageError("--do needs a threshold", hint="add --rss 1GB or --growth 50MB/30s")


def _process_to_watch(what: list[str]) -> tuple[int, subprocess.Popen[bytes] | None]:
    from leakscan.errors import CaptureError

    if len(what) == 1 and what[0].isdigit():
        return int(what[0]), None
    try:
        started = subprocess.Popen(what, stdout=sys.stderr, env=os.environ)
    except OSError as error:
        raise CaptureError(
            f"cannot start {what[0]}: {error.strerror}", hint="give a PID, or a command after --"
        ) from error
    return started.pid, started


def _show(looks: Iterator[Event], process: Process, *, is_live: bool, as_json: bool) -> None:
    if is_live and not as_json and sys.stdout.isatty():
        from leakscan.cli.watch_screen import show_live

        show_live(looks, f"{process.name} ({process.pid})")
    else:
        _print_all(looks, as_json=as_json)


def _print_tree(events: Iterator[TreeEvent], *, as_json: bool) -> None:
    from leakscan.capture.watch.tree import as_json as to_json
    from leakscan.cli.watch_lines import TREE_HEADER, line_of_tree

    for number, event in enumerate(events):
        if as_json:
            print(json.dumps(to_json(event)), flush=True)
            continue
        if number % 20 == 0:
            print(TREE_HEADER, flush=True)
        print(line_of_tree(event), flush=True)


def _print_all(looks: Iterator[Event], *, as_json: bool) -> None:
    from leakscan.capture.watch.watch import as_json as to_json
    from leakscan.cli.watch_lines import HEADER, line_of

    lines = 0
    for event in looks:
        if as_json:
            print(json.dumps(to_json(event)), flush=True)
            continue
        if lines % 20 == 0:
            print(HEADER, flush=True)
        print(line_of(event), flush=True)
        lines += 1
