"""The environment that puts a guard into every Python program that a command starts.

The loader of the C library puts a small library into each program (`LD_PRELOAD`); in one that is Python it
loads the recorder, whose thread waits until Python is initialized. Nothing of leakscan's is imported.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leakscan.capture.native_module import native_path
from leakscan.errors import CaptureError, UsageError

PRELOADED: Final = "_guard_preload.so"


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """`limit_bytes` 0: what the system sets. The baseline is taken `baseline_seconds` after the start."""

    folder: Path
    limit_bytes: int = 0
    percent: int = 85
    baseline_seconds: float = 30.0
    counts_births: bool = True
    redact_keys: bool = False
    term_seconds: float = 0.0
    """for a snapshot on SIGTERM; 0: none is taken then"""

    @property
    def options(self) -> str:
        """As the native thread reads them."""
        return (
            f"limit={self.limit_bytes} percent={self.percent} baseline={round(self.baseline_seconds * 1000)}"
            f" births={self.counts_births:d} redact={self.redact_keys:d}"
            f" term={round(self.term_seconds * 1000)}"
        )


def guarded_environment(settings: GuardSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with what a guarded command needs. CaptureError: this build has no guard."""
    native = Path(native_path())
    preloaded = native.with_name(PRELOADED)
    if not preloaded.exists():
        raise CaptureError(
            "this leakscan was built without its guard", hint="guard works on Linux with the GNU C library"
        )
    # The loader separates the names by spaces and colons, and knows no quoting.
    if any(character in str(preloaded) for character in " :"):
        raise CaptureError(
            f"the loader cannot be given {preloaded}: there is a space or a colon in its path",
            hint="install leakscan elsewhere, or call leakscan.guard() in the program",
        )
    earlier = environment.get("LD_PRELOAD", "")
    return {
        **environment,
        "LD_PRELOAD": f"{preloaded} {earlier}".rstrip(),
        "_LEAKSCAN_GUARD_LIBRARY": str(native),
        "_LEAKSCAN_GUARD_FOLDER": str(settings.folder.absolute()),
        "_LEAKSCAN_GUARD_OPTIONS": settings.options,
    }


def make_folder(folder: Path) -> None:
    """Where the boxes go. UsageError: it is something else, or may not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}", hint="choose another -o") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} may not be written", hint="choose another -o")


def make_folder_for(pid: int, folder: Path) -> None:
    """The same where that process sees our files; it may write it. UsageError: it cannot be made."""
    ours, theirs = os.stat("/"), os.stat(f"/proc/{pid}/root/")
    if (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino):
        return  # the process makes it, in its own file system
    is_new = not folder.exists()
    make_folder(folder)
    owner = os.stat(f"/proc/{pid}")
    if is_new and os.geteuid() == 0 and owner.st_uid:
        os.chown(folder, owner.st_uid, owner.st_gid)


FINISHER: Final = "leakscan.cli.guard_after"
_START_SECONDS: Final = 60.0
"""The longest that a start waits for the capsules of earlier deaths."""
_WATCHER: Final = """
echo 1000 > /proc/self/oom_score_adj
lives() { [ -d "/proc/$1" ] && ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$1/status"; }
while :; do
  alone=; lives "$1" || alone=alone
  for box in "$2"/box-*; do
    [ -e "$box/before.heap" ] && [ -e "$box/after.heap" ] || continue
    [ ! -e "$box/leak.capsule" ] && [ ! -e "$box/leak.capsule.failed" ] || continue
    pid=${box##*/box-}
    lives "${pid%%-*}" || { "$3" -P -m "$4" "$2" "$5" $alone || sleep 60; break; }
  done
  [ -z "$alone" ] || exit 0
  sleep "$6"
done
"""
"""A shell is all that waits beside the program: a megabyte, and the first that the kernel takes."""


def finish_earlier(settings: GuardSettings, then: str) -> None:
    """Capsules of the boxes that earlier deaths left; now there is memory for it. Takes a minute at most."""
    if not settings.folder.is_dir() or not any(settings.folder.glob("box-*")):
        return
    command = [sys.executable, "-P", "-m", FINISHER, str(settings.folder), then, "alone"]
    try:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False, timeout=_START_SECONDS
        )
    except subprocess.TimeoutExpired:
        print("note: the capsules of earlier deaths took too long; the program starts now", file=sys.stderr)


def watch_for_deaths(settings: GuardSettings, then: str, *, every_seconds: float = 5.0) -> None:
    """Have a shell beside this process make a capsule of each box whose process died, until this one ends.

    The first process of a container has none: with it all others end, and an orphan would be its child.
    """
    pid = os.getpid()
    if pid == 1:
        return
    words = [str(pid), str(settings.folder.absolute()), sys.executable, FINISHER, then, str(every_seconds)]
    log = settings.folder / "guard.log"
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:  # its parent ends at once: whoever becomes the program has no child
        with log.open("ab") as file:
            subprocess.Popen(
                ["sh", "-c", _WATCHER, "leakscan-guard", *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
    finally:
        os._exit(0)


def run_guarded(command: list[str], settings: GuardSettings, *, then: str | None = None) -> None:
    """Become that command, guarded; does not return. CaptureError: it cannot be started.

    With `then` (may be empty) each death leaves a capsule, which that shell command is given.
    """
    make_folder(settings.folder)
    if then is not None:
        finish_earlier(settings, then)
        watch_for_deaths(settings, then)
    environment = guarded_environment(settings, os.environ)
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise CaptureError(
            f"cannot start {shlex.quote(command[0])}: {error.strerror}", hint="give a command after --"
        ) from error
