"""One capture for each worker of a supervisor, filled by attaching to one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leakscan.capture.directory.run_file import (
    AFTER_FILE,
    TREE_MODE,
    ModesFile,
    RunFile,
    is_capture,
    read_run_file,
    write_run_file,
)
from leakscan.capture.process.attach import DEFAULT_HOLD_SECONDS, Attachment, Taken
from leakscan.capture.process.attached import AttachedCapture
from leakscan.capture.process.workers import command_of, workers_below
from leakscan.errors import AttachError, LeakscanError


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one worker in one round: a snapshot, or why there is none."""

    pid: int
    taken: Taken | None
    error: LeakscanError | None = None


class AttachedTree:
    """A directory with a capture for each Python process below `pid`, each in a folder of its number.

    AttachError: there are no such processes, or something else is in the directory.
    """

    def __init__(self, directory: Path, pid: int, *, overwrite: bool) -> None:
        self.directory = directory
        self._pid = pid
        self._overwrite = overwrite
        self._statuses: dict[str, str] = {}
        self.ours: set[int] = set()
        """Workers in which births are counted because this object asked."""
        if not workers_below(pid):
            raise AttachError(
                f"there is no Python process below process {pid}",
                hint="give the supervisor; a process without workers is attached to without --tree",
            )
        if is_capture(directory) and not overwrite:
            run = read_run_file(directory)
            if isinstance(run, RunFile) or run.mode != TREE_MODE:
                raise AttachError(f"{directory} is a capture of something else", hint="choose another -o")
            self._statuses = dict(run.modes)
        elif directory.is_dir() and any(directory.iterdir()) and not overwrite:
            raise AttachError(f"{directory} is not empty and holds no capture", hint="choose another -o")
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AttachError(
                f"cannot write {directory}: {error.strerror}", hint="choose another -o"
            ) from error

    @property
    def has_pairs(self) -> bool:
        """Whether some worker was looked at twice."""
        return any((self.directory / name / AFTER_FILE).exists() for name in self._statuses)

    def look(
        self,
        *,
        arm: bool = False,
        redact_keys: bool = False,
        via: str = "auto",
        timeout_seconds: float = 30.0,
        hold_seconds: float = DEFAULT_HOLD_SECONDS,
    ) -> list[Looked]:
        """One snapshot of each worker that there is now. A worker that cannot be looked at stops no other.

        With `arm` births are counted in it from its first snapshot on, and go on when this returns.
        """
        looked = [
            self._look_at(pid, arm, redact_keys, via, timeout_seconds, hold_seconds)
            for pid in workers_below(self._pid)
        ]
        self._overwrite = False
        for each in looked:
            folder = self.directory / str(each.pid)
            if each.error is None or is_capture(folder):
                self._statuses[str(each.pid)] = "failed" if each.error is not None else "complete"
        self._write()
        return looked

    def disarm(self, *, via: str = "auto", timeout_seconds: float = 30.0) -> None:
        """End the counting of births in the workers where it was begun here."""
        for pid in sorted(self.ours & set(workers_below(self._pid))):
            try:
                with Attachment(pid, via=via, timeout_seconds=timeout_seconds) as target:
                    target.disarm()
            except LeakscanError:
                continue  # it is ending: its births end with it
        self.ours.clear()

    def _look_at(
        self, pid: int, arm: bool, redact_keys: bool, via: str, timeout: float, hold: float
    ) -> Looked:
        try:
            with Attachment(pid, via=via, timeout_seconds=timeout, hold_seconds=hold) as target:
                capture = AttachedCapture(self.directory / str(pid), target, overwrite=self._overwrite)
                is_armed_here = arm and not capture.has_snapshots and target.arm(for_capture=True)
                taken = capture.take(target, redact_keys=redact_keys)
                capture.close("complete")
                if is_armed_here:
                    target.keep_armed()
                    self.ours.add(pid)
            return Looked(pid, taken)
        except LeakscanError as error:
            return Looked(pid, None, error)

    def _write(self) -> None:
        target = f"the workers of process {self._pid} ({command_of(self._pid)})"
        write_run_file(self.directory, ModesFile(target=target, mode=TREE_MODE, modes=self._statuses))
