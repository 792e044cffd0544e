"""The guard inside a program: one snapshot, and what it is compared with, before memory runs out."""

from __future__ import annotations

import os

from leakscan import _native
from leakscan.errors import RecordError
from leakscan.record.snapshot import check_support


def guard(
    folder: str | os.PathLike[str] = "guard",
    *,
    limit_bytes: int = 0,
    percent: int = 85,
    baseline_seconds: float = 0.0,
    counts_births: bool = True,
    redact_keys: bool = False,
    term_seconds: float = 0.0,
) -> None:
    """Watch this process's memory from now on, and leave a box in `folder` for `leakscan diff folder`.

    A native thread, which runs no Python code, takes the baseline after `baseline_seconds`, and the last
    snapshot at `percent` of the limit or earlier: of the memory cgroup, `ulimit -v`, the machine, or
    `limit_bytes` of resident memory. With `term_seconds`, SIGTERM takes one, too, for so long at most before
    it ends the process; a handler of the program runs at once. Processes that this one forks are guarded, as
    well. Raises UnsupportedInterpreter, or RecordError: `folder` cannot be written, or a guard runs already.
    """
    check_support()
    name = os.path.abspath(os.fspath(folder))
    try:
        os.makedirs(name, exist_ok=True)
    except OSError as error:
        raise RecordError(f"cannot write {name}: {error.strerror}", hint="choose another folder") from error
    try:
        is_new = _native.guard_start(
            os.fsencode(name),
            limit_bytes,
            percent,
            baseline_seconds,
            counts_births,
            redact_keys,
            term_seconds,
        )
    except RuntimeError as error:
        raise RecordError(
            _REASONS.get(str(error), f"no guard could be started: {error}"), hint="leakscan guard -- COMMAND"
        ) from None
    if not is_new:
        raise RecordError("a guard already runs in this process", hint="one watches all of it")


_REASONS = {
    "no-thread": "the guard's thread could not be started: out of threads or memory",
    "not-writable": "the guard's folder may not be written",
    "name-too-long": "the name of the guard's folder is too long",
    "unsupported": "guards work on Linux only",
}
