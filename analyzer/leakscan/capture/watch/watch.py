"""Watch the memory of one process and act when a threshold is passed: a circuit breaker."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field

from leakscan.capture.process.vitals import Process, ProcessGone, Vitals
from leakscan.capture.watch.actions import Action, Actor
from leakscan.capture.watch.moments import moments
from leakscan.errors import UsageError
from leakscan.units import parse_seconds, parse_size
from leakscan.wording import size_text


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
class Alarm:
    """A threshold was passed. `outcome` says what each action did, or would have done."""

    time_unix: float
    reason: str
    outcome: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acted:
    """A step of an action that goes on after its alarm: a snapshot of a series."""

    time_unix: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone; nothing more can be done to it."""

    time_unix: float


Event = Vitals | Alarm | Acted | Ended


@dataclass(frozen=True, slots=True)
class Rules:
    """When to act and how often. After an alarm nothing happens for `cooldown_seconds`."""

    thresholds: tuple[Threshold, ...] = ()
    actions: tuple[Action, ...] = ()
    cooldown_seconds: float = 60.0
    most_alarms: int = 3
    is_dry_run: bool = False
    series_seconds: float = 30.0
    """between two snapshots of a series"""


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


def watch(
    process: Process,
    rules: Rules,
    *,
    every_seconds: float = 1.0,
    for_seconds: float = float("inf"),
    wait: Callable[[float], object] = time.sleep,
) -> Generator[Event, None, None]:
    """Looks at the process until it ends or the time is over, and the alarms in between.

    Only `process` is ever acted on: it is known by PID and start time and signalled through a handle.
    """
    actor = Actor(process, rules.series_seconds)
    try:
        due = moments(every_seconds=every_seconds, for_seconds=for_seconds, wait=wait)
        yield from _looks(process, rules, actor, due)
    finally:
        actor.close()


def _looks(process: Process, rules: Rules, actor: Actor, due: Iterator[None]) -> Generator[Event, None, None]:
    breaker = Breaker(rules)
    for _ in due:
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
                outcome = tuple(actor.perform(action, reason) for action in rules.actions)
            yield Alarm(vitals.time_unix, reason, outcome)
        for step in actor.due(time.monotonic()):
            yield Acted(time.time(), step)


def as_json(event: Event) -> dict[str, object]:
    """One line of `--json`: the event's fields and its `event` name."""
    name = {"Vitals": "vitals", "Alarm": "alarm", "Acted": "acted", "Ended": "ended"}[type(event).__name__]
    return {"event": name, **asdict(event)}
