"""The folder that the agent's library lies in, inside the file system that the target sees.

Only the target's user can open it. Nothing is followed on the way to it that the target could have put
there: a target in a container, or a hostile one, names no file of ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from leakscan.errors import AttachError

LIBRARY, ORDERS, ANSWERS, HEAP = "leakscan-agent.so", "orders", "answers", "heap"
SCRIPT = "open.py"
_FILES: Final = (LIBRARY, ORDERS, ANSWERS, HEAP, SCRIPT)
_PLACES: Final = (("tmp",), ("var", "tmp"), ("dev", "shm"))
_TMPDIR: Final = b"TMPDIR=/"
_PREFIX: Final = "leakscan-attach-"
_DIRECTORY: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class PrivateFolder:
    """A context: the folder with the library and its three pipes, gone when it is left.

    `orders`, `answers` and `heap` are this side's descriptors. AttachError: there is no place for it.
    """

    def __init__(self, pid: int, *, uid: int, gid: int, library: Path) -> None:
        self._uid, self._gid = uid, gid
        self._descriptors: list[int] = []
        try:
            self._make(pid, library.read_bytes())
        except OSError as error:
            self.close()
            raise AttachError(
                f"cannot make a private folder for process {pid}: {error.strerror}",
                hint="it needs 1 MB in a /tmp, /var/tmp, /dev/shm or TMPDIR, and to run a library from there",
            ) from error
        except BaseException:
            self.close()
            raise

    def _make(self, pid: int, library: bytes) -> None:
        """In the first place that takes it; OSError says why the last one that could have did not."""
        reason = OSError(0, "there is no folder for temporary files that programs may be run from")
        for place, names in self._places(pid):
            try:
                return self._fill(pid, place, names, library)
            except OSError as error:
                # Full, over its quota: another file system may have room.
                reason = error
                self._remove()
        raise reason

    def _fill(self, pid: int, place: int, names: tuple[str, ...], library: bytes) -> None:
        self._parent = place
        self._name = f"{_PREFIX}{pid}-{secrets.token_hex(8)}"
        self.path = "/" + "/".join((*names, self._name))
        """As the target sees it."""
        os.mkdir(self._name, 0o700, dir_fd=place)
        self._folder = self._opened(self._name, _DIRECTORY, place)
        # Held as long as this process lives: a folder that is not locked is nobody's any more.
        fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write(LIBRARY, library, 0o500)
        # Whoever has the other end sees at once when this process is gone.
        self.orders = self._pipe(ORDERS, os.O_RDWR)
        self.answers = self._pipe(ANSWERS, os.O_RDWR)
        self.heap = self._pipe(HEAP, os.O_RDONLY)
        # To open it anew by what it is, and not by its name.
        self._heap_itself = self._opened(HEAP, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, self._folder)
        # From here on the target's user may rename and replace in it; what we need is open.
        self._give(self._folder)

    def __enter__(self) -> PrivateFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is left of it; the agent may have been there first."""
        self._remove()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    def _remove(self) -> None:
        if hasattr(self, "_folder"):
            for name in _FILES:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._folder)
            with contextlib.suppress(OSError):
                os.rmdir(self._name, dir_fd=self._parent)
            del self._folder

    def close_heap(self) -> None:
        """Who writes into it notices, and ends."""
        self._descriptors.remove(self.heap)
        os.close(self.heap)

    def open_heap(self) -> int:
        """The same pipe again, empty; the descriptor."""
        self.heap = self._opened(
            f"/proc/self/fd/{self._heap_itself}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )
        return self.heap

    @property
    def library(self) -> str:
        """As the target sees it."""
        return f"{self.path}/{LIBRARY}"

    def add_script(self, text: str) -> str:
        """A file of Python for the target; its path as the target sees it."""
        self._write(SCRIPT, text.encode(), 0o400)
        return f"{self.path}/{SCRIPT}"

    def _places(self, pid: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Folders in the target's file system that it could be made in, open, with their names."""
        root = self._opened(f"/proc/{pid}/root", os.O_DIRECTORY | os.O_CLOEXEC)
        for names in (*_PLACES, *_own_place(pid)):
            at = root
            try:
                for name in names:
                    at = self._opened(name, _DIRECTORY, at)
            except OSError:
                continue
            found = os.statvfs(at)
            who = os.fstat(at)
            is_shared = who.st_mode & stat.S_IWOTH and who.st_mode & stat.S_ISVTX
            is_usable = not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
            if is_usable and (is_shared or who.st_uid == self._uid) and os.access(".", os.W_OK, dir_fd=at):
                self._sweep(at)
                yield at, names

    def _opened(self, name: str, flags: int, folder: int | None = None) -> int:
        descriptor = os.open(name, flags, dir_fd=folder)
        self._descriptors.append(descriptor)
        return descriptor

    def _write(self, name: str, content: bytes, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(name, flags, mode, dir_fd=self._folder)
        try:
            block = memoryview(content)
            while block:
                block = block[os.write(file, block) :]
            self._give(file)
        finally:
            os.close(file)

    def _pipe(self, name: str, flags: int) -> int:
        os.mkfifo(name, 0o600, dir_fd=self._folder)
        descriptor = self._opened(name, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, self._folder)
        self._give(descriptor)
        return descriptor

    def _give(self, descriptor: int) -> None:
        if os.fstat(descriptor).st_uid != self._uid:
            os.fchown(descriptor, self._uid, self._gid)

    def _sweep(self, place: int) -> None:
        """Folders that a killed leakscan left behind before its agent was there to remove them."""
        for name in os.listdir(place):
            with contextlib.suppress(OSError):
                if not name.startswith(_PREFIX):
                    continue
                found = os.stat(name, dir_fd=place, follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode) or not found.st_uid == os.geteuid() == self._uid:
                    continue
                folder = os.open(name, _DIRECTORY, dir_fd=place)
                try:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    for file in _FILES:
                        with contextlib.suppress(OSError):
                            os.unlink(file, dir_fd=folder)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=place)


def _own_place(pid: int) -> list[tuple[str, ...]]:
    """The TMPDIR that the target was started with."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read(1 << 20).split(b"\0")
    except OSError:
        return []
    paths = [os.fsdecode(each.removeprefix(_TMPDIR)) for each in variables if each.startswith(_TMPDIR)]
    return [tuple(name for name in path.split("/") if name) for path in paths if ".." not in path.split("/")]
