"""`leakscan attach`: the heap of a process that is running now."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from leakscan.cli.exits import INTERRUPTED
from leakscan.cli.parameters import argument, option

if TYPE_CHECKING:
    from leakscan.capture.process.attach import Attachment, Taken
    from leakscan.capture.process.attached import AttachedCapture
    from leakscan.errors import LeakscanError

EXAMPLES = (
    "leakscan attach 4312 -o now.heap",
    "leakscan attach 4312 --arm -o leak/   # later again, without --arm",
    "leakscan attach 4312 --minutes 30 --every 5 -o leak/",
    "leakscan attach 4312 --disarm",
    "leakscan attach --tree 4312 --minutes 30 --every 5 -o leak/",
    "leakscan attach 4312 --guard -o /var/leak",
)
_SUFFIX = ".heap"
_WORTH_SAYING = 100_000_000


def attach(
    pid: Annotated[int, argument(metavar="PID", help="A running CPython 3.11-3.15 process.")],
    output: Annotated[
        Path | None,
        option(
            "--output",
            "-o",
            metavar="FILE.heap | DIR",
            help="One snapshot, or a capture that grows with each call [attach-PID/].",
        ),
    ] = None,
    arm: Annotated[
        bool, option("--arm", help="Count births from now on: the next call knows exactly what is new.")
    ] = False,
    disarm: Annotated[bool, option("--disarm", help="Stop counting births.")] = False,
    tree: Annotated[
        bool, option("--tree", help="Every Python process below PID: the workers of a supervisor.")
    ] = False,
    guard: Annotated[
        bool,
        option("--guard", help="Leave a guard that takes a snapshot before memory runs out (guard --help)."),
    ] = False,
    minutes: Annotated[
        float | None, option(metavar="M", help="Take a series for this long, births counted.")
    ] = None,
    every: Annotated[float, option(metavar="M", help="With --minutes: between two snapshots.")] = 5.0,
    redact_keys: Annotated[
        bool, option("--redact-keys", help="Write no dictionary keys into the snapshots.")
    ] = False,
    timeout: Annotated[
        float, option(metavar="SECONDS", help="Longest wait for the process to let leakscan in.")
    ] = 30.0,
    hold: Annotated[
        float,
        option(
            metavar="SECONDS",
            help="Longest time that a process near its memory limit stands still for its snapshot; 0: never.",
        ),
    ] = 1.0,
    via: Annotated[
        str, option(help="auto, ptrace, remote-exec (3.14+), gdb or lldb (these can end the process).")
    ] = "auto",
    overwrite: Annotated[bool, option("--overwrite", help="Replace what is in -o.")] = False,
    as_json: Annotated[bool, option("--json", help="Print what was done as JSON.")] = False,
) -> int:
    """Take a snapshot of a process that is running now."""
    from leakscan.capture.process.attach import Attachment, interrupts_as_exceptions
    from leakscan.errors import LeakscanError, UsageError

    if pid <= 0:
        raise UsageError(f"{pid} is no process", hint="`ps -ef` lists the processes")
    if tree:
        if disarm or guard:
            raise UsageError("--tree goes with --arm, or with --minutes and --every", hint="attach --help")
        from leakscan.cli.attach_tree import attach_tree

        return attach_tree(
            pid,
            _output_path(pid, output, is_series=True, overwrite=overwrite),
            arm=arm,
            rounds=1 if minutes is None else _intervals(minutes, every) + 1,
            every_seconds=every * 60,
            redact_keys=redact_keys,
            overwrite=overwrite,
            via=via,
            timeout_seconds=timeout,
            hold_seconds=hold,
            as_json=as_json,
        )
    if guard:
        if arm or disarm or minutes is not None:
            raise UsageError("--guard goes alone", hint="leakscan attach PID --guard -o DIR")
        return _guard(pid, output, redact_keys=redact_keys, via=via, timeout=timeout, said=_Said(as_json))
    if arm and disarm:
        raise UsageError("--arm and --disarm are two calls", hint="--arm, some time, a second call, --disarm")
    said = _Said(as_json)
    try:
        path = _output_path(pid, output, is_series=minutes is not None, overwrite=overwrite)
        with (
            interrupts_as_exceptions(),
            Attachment(pid, via=via, timeout_seconds=timeout, hold_seconds=hold) as target,
        ):
            if minutes is not None:
                return _series(target, path, minutes, every, redact_keys, overwrite, said)
            is_file = path.suffix == _SUFFIX
            if arm:
                target.arm(for_capture=not is_file)
            if not disarm or output is not None:
                _snapshot(target, path, redact_keys, overwrite, said)
            if arm:
                target.keep_armed()
            if disarm:
                said.disarmed(target, target.disarm())
    except LeakscanError as error:
        said.failed(pid, error)
        raise
    said.end()
    return 0


def _guard(pid: int, output: Path | None, *, redact_keys: bool, via: str, timeout: float, said: _Said) -> int:
    from leakscan.capture.guard import GuardSettings, make_folder_for
    from leakscan.capture.process.attach import Attachment, interrupts_as_exceptions
    from leakscan.errors import LeakscanError

    settings = GuardSettings(
        folder=(output or Path(f"guard-{pid}")).absolute(), baseline_seconds=0.0, redact_keys=redact_keys
    )
    try:
        with interrupts_as_exceptions(), Attachment(pid, via=via, timeout_seconds=timeout) as target:
            make_folder_for(pid, settings.folder)
            target.guard(settings.folder, settings.options)
            said.guarded(target, settings.folder)
    except LeakscanError as error:
        said.failed(pid, error)
        raise
    said.end()
    return 0


def _output_path(pid: int, output: Path | None, *, is_series: bool, overwrite: bool) -> Path:
    from leakscan.errors import UsageError

    path = output if output is not None else Path(f"attach-{pid}")
    if path.suffix != _SUFFIX:
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file", hint=f"name a directory, or a file that ends in {_SUFFIX}")
        return path
    if is_series:
        raise UsageError(f"a series fills a directory; {path} is one file", hint="-o leak/")
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint="choose another -o")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} already exists", hint="choose another -o, or add --overwrite")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="choose another -o")
    return path


def _snapshot(target: Attachment, path: Path, redact_keys: bool, overwrite: bool, said: _Said) -> None:
    from leakscan.capture.process.attached import AttachedCapture

    if path.suffix == _SUFFIX:
        said.taken(target, target.snapshot(path, redact_keys=redact_keys, is_aside=True), None)
        return
    capture = AttachedCapture(path, target, overwrite=overwrite)
    taken = capture.take(target, redact_keys=redact_keys)
    capture.close("complete")
    said.taken(target, taken, capture)


def _intervals(minutes: float, every: float) -> int:
    from leakscan.errors import UsageError

    intervals = int(minutes / every + 1e-9) if every > 0 else 0
    if intervals < 1:
        raise UsageError(
            f"--minutes {minutes:g} holds no interval of --every {every:g}", hint="--every must fit"
        )
    return intervals


def _series(
    target: Attachment,
    path: Path,
    minutes: float,
    every: float,
    redact_keys: bool,
    overwrite: bool,
    said: _Said,
) -> int:
    from leakscan.capture.process.attached import AttachedCapture

    intervals = _intervals(minutes, every)
    capture = AttachedCapture(path, target, overwrite=overwrite)
    is_ours = not capture.has_snapshots and target.arm(for_capture=True)
    status = ""
    try:
        if not capture.has_snapshots:
            said.taken(target, capture.take(target, redact_keys=redact_keys), capture)
        capture.plan(intervals)
        said.forecast(capture.check_disk(intervals), intervals)
        due = time.monotonic()
        for left in range(intervals, 0, -1):
            due += every * 60
            target.wait_until(due)
            capture.check_disk(left)
            said.taken(target, capture.take(target, redact_keys=redact_keys), capture)
        status = "complete"
    except KeyboardInterrupt:
        status = "interrupted"
    capture.close(status)
    if is_ours and status == "complete":
        target.disarm()  # when it was interrupted, leaving does it
    said.end()
    return 0 if status == "complete" else INTERRUPTED


class _Said:
    """What the command tells: on stdout what was done, or all of it as one JSON object."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._snapshots: list[dict[str, object]] = []
        self._document: dict[str, object] = {"format": "leakscan-attach", "version": 1}
        self._next = ""
        self._workers = ""

    def taken(self, target: Attachment, taken: Taken, capture: AttachedCapture | None) -> None:
        from leakscan.capture.process.refusals import python_children
        from leakscan.wording import size_text, visible

        self._document |= {"pid": target.pid, "python": target.python, "births": taken.is_armed}
        children = python_children(target.pid)
        self._document |= {"python_children": children} if children else {}
        self._workers = _workers_text(target.pid, children)
        self._snapshots.append(
            {
                "file": str(taken.path),
                "interval": taken.interval,
                "bytes": taken.bytes,
                "pause_seconds": taken.pause_seconds,
                "waited_seconds": taken.waited_seconds,
                "seconds": round(taken.seconds, 6),
                "warnings": list(taken.warnings),
            }
        )
        for warning in taken.warnings:
            print(visible(f"warning: {warning}"), file=sys.stderr)
        self._next = self._next_step(target, taken, capture)
        if not self._as_json:
            what = str(taken.path)
            if capture is not None:
                what = f"{capture.directory}: interval {len(capture) - 1}" if len(capture) > 1 else what
            cost = f"{taken.pause_seconds * 1000:.1f} ms, {taken.seconds:.1f} s in all"
            text = f"{what}  {size_text(taken.bytes)}; process {target.pid} stood still for {cost}"
            print(visible(text), flush=True)

    def forecast(self, bytes_needed: int, intervals: int) -> None:
        """How much more a series will write."""
        from leakscan.wording import size_text

        self._document["forecast_bytes"] = bytes_needed
        if bytes_needed > _WORTH_SAYING:
            print(f"note: {intervals} more snapshots, about {size_text(bytes_needed)}", file=sys.stderr)

    def disarmed(self, target: Attachment, was_armed: bool) -> None:
        self._document |= {"pid": target.pid, "python": target.python, "disarmed": was_armed}
        if not self._as_json:
            word = "no longer counted" if was_armed else "were not counted"
            print(f"births {word} in process {target.pid}")

    def guarded(self, target: Attachment, folder: Path) -> None:
        from leakscan.wording import visible

        self._document |= {"pid": target.pid, "python": target.python, "guard": str(folder)}
        if not self._as_json:
            print(visible(f"process {target.pid} is guarded: its box will be in {folder}"))

    def failed(self, pid: int, error: LeakscanError) -> None:
        """The message itself goes to stderr, as every command's does."""
        self._document |= {"pid": pid, "error": {"message": error.message, "hint": error.hint}}
        if self._as_json:
            self.end()

    def end(self) -> None:
        import json

        if self._as_json:
            print(json.dumps({**self._document, "snapshots": self._snapshots}, indent=2))
        elif self._next:
            print(self._next)
            if self._workers:
                print(self._workers, file=sys.stderr)
        sys.stdout.flush()

    @staticmethod
    def _next_step(target: Attachment, taken: Taken, capture: AttachedCapture | None) -> str:
        from leakscan.analysis.judge.pace import ENOUGH_RUNS

        if capture is None:
            return f"next: leakscan top {shlex.quote(str(taken.path))}"
        directory = shlex.quote(str(capture.directory))
        again = f"leakscan attach {target.pid} -o {directory}"
        if len(capture) <= 1:
            needed = f"a verdict needs {ENOUGH_RUNS} intervals, a look at what is new one"
            return f"next: {again}, after some load\n{needed}"
        missing = ENOUGH_RUNS - (len(capture) - 1)
        more = f"\na verdict needs {missing} more interval{'s' * (missing > 1)}: {again}"
        return f"next: leakscan diff {directory}" + (more if missing > 0 else "")


def _workers_text(pid: int, children: list[int]) -> str:
    if not children:
        return ""
    named = ", ".join(map(str, children[:8])) + ", ..." * (len(children) > 8)
    return (
        f"note: process {pid} has {len(children)} Python children ({named}); if it is their supervisor, the"
        " work is done in them: attach to one of them,"
        f" or to all: leakscan attach --tree {pid} ..."
    )
