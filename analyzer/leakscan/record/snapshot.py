"""Takes snapshots of the process this code runs in: fork, walk in the child, stream to a file."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import Any, Final

import leakscan
from leakscan import _native
from leakscan.errors import RecordError, UnsupportedInterpreter

FORMAT_VERSION: Final = 1
_OWN_FOLDER: Final = os.fsencode(os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep)


def snapshot(path: str | os.PathLike[str], *, redact_keys: bool = False) -> None:
    """Write the heap of this process to `path`; the process stands still for the fork only.

    `redact_keys` leaves out the keys of dicts. The file appears when it is complete: a snapshot that
    fails leaves nothing. Raises UnsupportedInterpreter, or RecordError when it cannot be written.
    """
    record(path, redact_keys=redact_keys)


def record(
    path: str | os.PathLike[str],
    *,
    run: int = 0,
    census: bool = False,
    redact_keys: bool = False,
    values: bool = False,
    subject: object = None,
    timeout_seconds: float = -1.0,
) -> float:
    """Write a snapshot, or a census of types only; how long the process stood still, in seconds.

    `run` is the number of runs completed. `values`: what texts say that occur often, masked and cut.
    `subject` is a callable of the program that leakscan holds: what
    it holds is reached. A child still writing after `timeout_seconds` is ended; negative
    means no limit. Raises as `snapshot`.
    """
    check_support()
    name = os.fspath(path)
    partial = name + ".partial"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(name, error) from error
    try:
        try:
            pause_seconds = record_to(
                descriptor,
                run=run,
                census=census,
                redact_keys=redact_keys,
                values=values,
                subject=subject,
                timeout_seconds=timeout_seconds,
            )
        finally:
            os.close(descriptor)
        os.replace(partial, name)
    except OSError as error:
        _discard(partial)
        raise _unwritable(name, error) from error
    except BaseException:
        _discard(partial)
        raise
    return pause_seconds


def record_to(
    descriptor: int,
    *,
    run: int = 0,
    census: bool = False,
    redact_keys: bool = False,
    values: bool = False,
    subject: object = None,
    timeout_seconds: float = -1.0,
) -> float:
    """As `record`, to an open file, pipe or socket. OSError: the error that writing gave."""
    flags = (_native.SNAPSHOT_CENSUS if census else 0) | (_native.SNAPSHOT_REDACT_KEYS if redact_keys else 0)
    flags |= _native.SNAPSHOT_VALUES if values else 0
    meta = json.dumps(_meta(run, redact_keys, values)).encode()
    start = time.perf_counter()
    try:
        pid = _native.snapshot_start(descriptor, meta, _OWN_FOLDER, flags, subject)
    except OSError as error:
        raise RecordError(
            f"no child process could be started to record this one: {error.strerror}",
            hint="free memory or raise the limit on processes",
        ) from error
    pause_seconds = time.perf_counter() - start
    _check(*_native.snapshot_wait(pid, timeout_seconds))
    return pause_seconds


def check_support() -> None:
    """Raises UnsupportedInterpreter when the process that asks cannot be recorded."""
    hint = "record it with a standard CPython 3.11 to 3.15 on Linux or macOS"
    if sys.implementation.name != "cpython":
        raise UnsupportedInterpreter(
            f"{sys.implementation.name} has no heap that leakscan can record", hint=hint
        )
    if sys.platform == "win32":
        raise UnsupportedInterpreter("recording needs fork, which Windows does not have", hint=hint)
    if "t" in getattr(sys, "abiflags", ""):
        raise UnsupportedInterpreter("free-threaded builds of CPython cannot be recorded yet", hint=hint)
    supported, reason = _native.support()
    if not supported:
        raise UnsupportedInterpreter(reason, hint=hint)


def _check(status: str, code: int) -> None:
    if status == "ok":
        return
    if status == "write-error":
        raise OSError(code, os.strerror(code))
    if status == "timeout":
        raise RecordError("the snapshot was not finished in time", hint="allow more time for this heap")
    if status == "no-memory":
        raise RecordError("the recording child ran out of memory", hint="it needs about 32 bytes per object")
    raise RecordError(
        f"the recording child ended early ({status}, {code})",
        hint="the process itself is unharmed; please report this with its Python version",
    )


def _unwritable(name: str, error: OSError) -> RecordError:
    return RecordError(
        f"cannot write the snapshot {name}: {error.strerror}", hint="choose a folder with room for it"
    )


def _discard(partial: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial)


def _meta(run: int, redacted: bool, values: bool) -> dict[str, Any]:  # Any: JSON values
    births = _native.births_stats()
    return {
        "format": FORMAT_VERSION,
        "runtime": "cpython",
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "pid": os.getpid(),
        "time_unix": time.time(),
        # paths of source files are those of this file system, which is another one in a container
        "root": _root_identity(),
        "run": run,
        "births": births["armed"],
        "births_width": births["width"],
        "sites": births["with_sites"],
        "platform": f"{sys.platform}-{os.uname().machine}",
        "leakscan": leakscan.__version__,
        # the reader may run another version, whose standard library is not the same
        "stdlib_modules": sorted(sys.stdlib_module_names),
        "redacted": redacted,
        "values": values and not redacted,
    }


def _root_identity() -> str:
    try:
        found = os.stat("/")
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"
