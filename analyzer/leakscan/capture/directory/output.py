"""The directory that a capture fills, and what becomes of it when the capture fails."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from leakscan.capture.directory.run_file import RUN_FILE, is_capture
from leakscan.errors import CaptureError


class OutputDirectory:
    """A context: leaving it with `keep` unset undoes it, and a capture that was replaced comes back.

    CaptureError: something is there already and may not, or must not, be overwritten.
    """

    def __init__(self, output: Path, *, overwrite: bool) -> None:
        self.keep = False
        self.directory = output
        self._earlier: Path | None = None
        self._is_new = not output.exists()
        if self._is_new:
            return
        if not output.is_dir():
            raise CaptureError(f"{output} is not a folder", hint="choose another -o")
        if not any(output.iterdir()):
            return
        if not overwrite:
            raise CaptureError(f"{output} already exists", hint="choose another -o, or add --overwrite")
        if not is_capture(output):
            raise CaptureError(
                f"{output} holds no capture (no {RUN_FILE}): it is not overwritten", hint="choose another -o"
            )
        self._earlier = output.absolute()

    def __enter__(self) -> OutputDirectory:
        try:
            if self._earlier is not None:
                aside = tempfile.mkdtemp(prefix=f".{self.directory.name}-", dir=self._earlier.parent)
                self._earlier = Path(os.path.join(aside, self.directory.name))
                os.replace(self.directory, self._earlier)
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaptureError(
                f"cannot write {self.directory}: {error.strerror}", hint="choose another -o"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            self._empty()
        if self._earlier is not None:
            if not self.keep:
                os.replace(self._earlier, self.directory)
            shutil.rmtree(self._earlier.parent)

    def _empty(self) -> None:
        if self._is_new or self._earlier is not None:
            shutil.rmtree(self.directory)
            return
        for entry in self.directory.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
