"""leakscan: what is still alive after N runs, since which run, and which reference must go.

Importing this package costs nothing: it runs inside observed processes, where numpy and the
command line's libraries may not exist.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakscan.answers.check import check as check
    from leakscan.answers.looking import inspect as inspect
    from leakscan.answers.paths import paths as paths
    from leakscan.answers.query.ask import query as query
    from leakscan.answers.stuck import stuck as stuck
    from leakscan.answers.whatif import whatif as whatif
    from leakscan.api import diff as diff
    from leakscan.heap.reader import load as load
    from leakscan.record.guard import guard as guard
    from leakscan.record.rounds import run as run
    from leakscan.record.rounds import run_done as run_done
    from leakscan.record.snapshot import snapshot as snapshot
    from leakscan.record.works import AsgiWork as AsgiWork
    from leakscan.record.works import CeleryWork as CeleryWork
    from leakscan.record.works import TaskWork as TaskWork
    from leakscan.record.works import WsgiWork as WsgiWork
    from leakscan.record.works import work as work
    from leakscan.testing import assert_no_leaks as assert_no_leaks

__version__ = "0.1.0"
__all__ = [
    "AsgiWork",
    "CeleryWork",
    "TaskWork",
    "WsgiWork",
    "__version__",
    "assert_no_leaks",
    "check",
    "diff",
    "guard",
    "inspect",
    "load",
    "paths",
    "query",
    "run",
    "run_done",
    "snapshot",
    "stuck",
    "whatif",
    "work",
]


_PUBLIC = {
    "snapshot": ("leakscan.record.snapshot", "snapshot"),
    "guard": ("leakscan.record.guard", "guard"),
    "run": ("leakscan.record.rounds", "run"),
    "run_done": ("leakscan.record.rounds", "run_done"),
    "work": ("leakscan.record.works", "work"),
    "CeleryWork": ("leakscan.record.works", "CeleryWork"),
    "TaskWork": ("leakscan.record.works", "TaskWork"),
    "AsgiWork": ("leakscan.record.works", "AsgiWork"),
    "WsgiWork": ("leakscan.record.works", "WsgiWork"),
    "load": ("leakscan.heap.reader", "load"),
    "diff": ("leakscan.api", "diff"),
    "check": ("leakscan.answers.check", "check"),
    "inspect": ("leakscan.answers.looking", "inspect"),
    "paths": ("leakscan.answers.paths", "paths"),
    "query": ("leakscan.answers.query.ask", "query"),
    "stuck": ("leakscan.answers.stuck", "stuck"),
    "whatif": ("leakscan.answers.whatif", "whatif"),
    "assert_no_leaks": ("leakscan.testing", "assert_no_leaks"),
}


def __getattr__(name: str) -> Any:  # Any: the public functions, imported on first use
    if name not in _PUBLIC:
        raise AttributeError(f"module 'leakscan' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(import_module(module), attribute)
