"""Watch the memory of one process and act when a threshold is passed: a circuit breaker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from leakscan.analysis.wording import size_text
from leakscan.capture.vitals import Process, ProcessGone, Vitals
from leakscan.errors import UsageError
from leakscan.units import parse_seconds, parse_size


@dataclass(frozen=True, slots=True)
class Level:
    """Fires while RSS is above `limit_bytes`."""

    limit_bytes: int

    def reason(self, history: deque[Vitals]) -> str:
        rss = history[-1].rss_bytes
        if rss <= self.limit_bytes:
            return ""
        return f"RSS {size_text(rss)} is above {size_text(self.limit_bytes)}"


@dataclass(frozen=True, slots=True)
class GrowthLimit:
    """Fires when RSS grew by more than `limit_bytes` within `seconds`."""

    limit_bytes: int
    seconds: float

    def reason(self, history: deque[Vitals]) -> str:
        now = history[-1]
        window = [v for v in history if now.time_unix - v.time_unix <= self.seconds]
        grown = now.rss_bytes - min(v.rss_bytes for v in window)
        return f"RSS grew by {size_text(grown)} within {self.seconds:g} s" if grown > self.limit_bytes else ""


Threshold = Level | GrowthLimit


def parse_growth(text: str) -> GrowthLimit:
    """`50MB/30s`. UsageError otherwise."""
    size, slash, seconds = text.partition("/")
    if not slash:
        raise UsageError(f"not a growth: {text!r}", hint="write 50MB/30s: so much within that time")
    return GrowthLimit(parse_size(size), parse_seconds(seconds))


@dataclass(frozen=True, slots=True)
class Action:
    """What happens when a threshold is passed. `kind`: command, signal or webhook."""

    kind: str
    argument: str


def parse_action(text: str) -> Action:
    """`signal=TERM`, `command=./dump.sh`, `webhook=http://127.0.0.1:9000/`. UsageError otherwise."""
    kind, equals, argument = text.partition("=")
    if kind not in ("command", "signal", "webhook") or not equals or not argument:
        raise UsageError(f"not an action: {text!r}", hint="write signal=TERM, command=... or webhook=URL")
    if kind == "signal" and f"SIG{argument.removeprefix('SIG')}" not in signal.Signals.__members__:
        raise UsageError(f"not a signal: {argument}", hint="write signal=TERM, signal=USR1 ...")
    return Action(kind, argument)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A threshold was passed. `outcome` says what each action did, or would have done."""

    time_unix: float
    reason: str
    outcome: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone; nothing more can be done to it."""

    time_unix: float


@dataclass(frozen=True, slots=True)
class Rules:
    """When to act and how often. After an alarm nothing happens for `cooldown_seconds`."""

    thresholds: tuple[Threshold, ...] = ()
    actions: tuple[Action, ...] = ()
    cooldown_seconds: float = 60.0
    most_alarms: int = 3
    is_dry_run: bool = False


@dataclass(slots=True)
class Breaker:
    """Decides, from the looks so far, whether to act now."""

    rules: Rules
    history: deque[Vitals] = field(default_factory=lambda: deque(maxlen=100_000))
    alarms: int = 0
    last_alarm: float = float("-inf")

    def reason_to_act(self, vitals: Vitals) -> str:
        """Why to act on this look; "" when there is no reason, or not yet again."""
        self.history.append(vitals)
        self._forget_old(vitals.time_unix)
        if self.alarms >= self.rules.most_alarms:
            return ""
        if vitals.time_unix - self.last_alarm < self.rules.cooldown_seconds:
            return ""
        reason = next((text for t in self.rules.thresholds if (text := t.reason(self.history))), "")
        if reason:
            self.alarms += 1
            self.last_alarm = vitals.time_unix
        return reason

    def _forget_old(self, now: float) -> None:
        longest = max((t.seconds for t in self.rules.thresholds if isinstance(t, GrowthLimit)), default=0.0)
        while len(self.history) > 1 and now - self.history[0].time_unix > longest:
            self.history.popleft()


def perform(action: Action, process: Process, reason: str) -> str:
    """Carry out one action; what came of it. A failing action is reported, never raised."""
    if action.kind == "signal":
        number = signal.Signals[f"SIG{action.argument.removeprefix('SIG')}"]
        try:
            process.send(number)
        except ProcessGone:
            return f"{number.name}: the process had already ended"
        return f"{number.name} sent to process {process.pid}"
    if action.kind == "command":
        environment = {**os.environ, "LEAKSCAN_PID": str(process.pid), "LEAKSCAN_REASON": reason}
        result = subprocess.run(
            ["sh", "-c", action.argument], check=False, env=environment, stdout=sys.stderr
        )
        return f"command ended with {result.returncode}"
    request = urllib.request.Request(action.argument, data=reason.encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return f"webhook answered {answer.status}"
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"webhook failed: {error}"


def watch(
    process: Process,
    rules: Rules,
    *,
    every_seconds: float = 1.0,
    for_seconds: float = float("inf"),
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[Vitals | Alarm | Ended]:
    """Looks at the process until it ends or the time is over, and the alarms in between.

    Only `process` is ever acted on: it is known by PID and start time and signalled through a handle.
    """
    breaker = Breaker(rules)
    deadline = time.monotonic() + for_seconds
    due = time.monotonic()
    while True:
        try:
            vitals = process.vitals()
        except ProcessGone:
            yield Ended(time.time())
            return
        yield vitals
        reason = breaker.reason_to_act(vitals)
        if reason:
            if rules.is_dry_run:
                outcome = tuple(f"dry run: {a.kind}={a.argument}" for a in rules.actions)
            else:
                outcome = tuple(perform(action, process, reason) for action in rules.actions)
            yield Alarm(vitals.time_unix, reason, outcome)
        due += every_seconds
        now = time.monotonic()
        if now >= deadline:
            return
        wait(max(0.0, min(due, deadline) - now))


def as_json(event: Vitals | Alarm | Ended) -> dict[str, object]:
    """One line of `--json`: the event's fields and its `event` name."""
    name = {"Vitals": "vitals", "Alarm": "alarm", "Ended": "ended"}[type(event).__name__]
    return {"event": name, **asdict(event)}
