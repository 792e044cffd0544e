"""The errors leakscan raises. Each says what happened, what it happened to, and what to try."""

from __future__ import annotations


class LeakscanError(Exception):
    """Base of every expected failure; only `cli` turns it into exit code 2.

    `message` is one sentence; `hint` is what the user can do about it, or "".
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LeakscanError):
    """The command was asked for something that does not make sense."""


class SnapshotError(LeakscanError):
    """A snapshot file is missing, truncated, corrupt or not a snapshot."""


class CaptureError(LeakscanError):
    """A capture directory is missing or incomplete, or the target could not be run."""


class UnsupportedInterpreter(LeakscanError):
    """This Python cannot be recorded (version, implementation or build)."""


class RecordError(LeakscanError):
    """The recorder could not take the snapshot (fork failed, disk full, child died)."""


class MeasuresItself(RecordError):
    """What is run and measured measures leaks itself: both cannot date what it leaves."""


class AttachError(LeakscanError):
    """A running process cannot be attached to, or did not answer; it goes on as before."""


class NoRoom(AttachError):
    """So little memory is left that looking at the process could have it killed."""
