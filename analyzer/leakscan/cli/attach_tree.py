"""`leakscan attach --tree`: every worker of a supervisor, one after the other."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leakscan.capture.process.attached_tree import AttachedTree, Looked


def attach_tree(
    pid: int,
    directory: Path,
    *,
    arm: bool,
    rounds: int,
    every_seconds: float,
    redact_keys: bool,
    overwrite: bool,
    via: str,
    timeout_seconds: float,
    hold_seconds: float,
    as_json: bool,
) -> int:
    """Look `rounds` times at all workers; the exit code. With more than one, births are counted meanwhile."""
    from leakscan.capture.process.attach import interrupts_as_exceptions
    from leakscan.capture.process.attached_tree import AttachedTree
    from leakscan.cli.exits import CANNOT_RUN, INTERRUPTED

    is_series = rounds > 1
    looked: list[Looked] = []
    tree = AttachedTree(directory, pid, overwrite=overwrite)
    status = 0
    with interrupts_as_exceptions():
        try:
            due = time.monotonic()
            for number in range(rounds):
                if number:
                    due += every_seconds
                    time.sleep(max(0.0, due - time.monotonic()))
                looked = tree.look(
                    arm=arm or is_series,
                    redact_keys=redact_keys,
                    via=via,
                    timeout_seconds=timeout_seconds,
                    hold_seconds=hold_seconds,
                )
                _say(tree, looked, as_json=as_json)
        except KeyboardInterrupt:
            status = INTERRUPTED
        if is_series:
            tree.disarm(via=via, timeout_seconds=timeout_seconds)
    if not any(each.taken is not None for each in looked) and not status:
        return CANNOT_RUN
    if not as_json:
        place = shlex.quote(str(directory))
        again = f"leakscan attach --tree {pid} -o {place}"
        print(f"next: leakscan diff {place}" if is_series or tree.has_pairs else f"next: {again}, after load")
    return status


def _say(tree: AttachedTree, looked: list[Looked], *, as_json: bool) -> None:
    from leakscan.wording import size_text, visible

    for each in looked:
        if each.error is not None:
            print(visible(f"warning: worker {each.pid}: {each.error.message}"), file=sys.stderr)
    if as_json:
        rows: list[dict[str, object]] = [
            {"pid": each.pid, "error": each.error.message} for each in looked if each.error is not None
        ]
        rows += [
            {
                "pid": each.pid,
                "file": str(each.taken.path),
                "bytes": each.taken.bytes,
                "interval": each.taken.interval,
                "pause_seconds": each.taken.pause_seconds,
            }
            for each in looked
            if each.taken is not None
        ]
        document = {"format": "leakscan-attach-tree", "version": 1, "workers": rows}
        print(json.dumps(document), flush=True)
        return
    done = [each.taken for each in looked if each.taken is not None]
    sizes = size_text(sum(taken.bytes for taken in done))
    pause = max((taken.pause_seconds for taken in done), default=0.0) * 1000
    workers = f"{len(done)} of {len(looked)} workers"
    print(
        visible(f"{tree.directory}: {workers}, {sizes}; none stood still for more than {pause:.1f} ms"),
        flush=True,
    )
