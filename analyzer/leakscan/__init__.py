"""leakscan: what is still alive after N runs, since which run, and which reference must go.

Importing this package costs nothing: it runs inside observed processes, where numpy and the
command line's libraries may not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakscan.heap.reader import load as load
    from leakscan.record.snapshot import snapshot as snapshot

__version__ = "0.1.0"
__all__ = ["__version__", "load", "snapshot"]


def __getattr__(name: str) -> Any:  # Any: the public functions, imported on first use
    if name == "snapshot":
        from leakscan.record.snapshot import snapshot

        return snapshot
    if name == "load":
        from leakscan.heap.reader import load

        return load
    raise AttributeError(f"module 'leakscan' has no attribute {name!r}")
