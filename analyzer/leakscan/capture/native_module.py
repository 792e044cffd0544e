"""Where leakscan's own native module lies, for processes that load it by its path."""

from __future__ import annotations

import importlib.util

from leakscan.errors import CaptureError


def native_path() -> str:
    """The file of `leakscan._native`. CaptureError: it is not built."""
    spec = importlib.util.find_spec("leakscan._native")
    if spec is None or spec.origin is None:
        raise CaptureError("leakscan's native module is not built", hint="make native")
    return spec.origin
