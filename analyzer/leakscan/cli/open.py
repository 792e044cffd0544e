"""`leakscan open`: a heap to walk through in a browser."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan open leak/",
    "leakscan open leak/after.heap --browser",
    "leakscan open 1.heapsnapshot 2.heapsnapshot",
)


def open(
    snapshots: Annotated[
        list[Path],
        argument(metavar="DIR | SNAPSHOT | CAPSULE | BEFORE AFTER", help="What to look around in."),
    ],
    port: Annotated[
        int, option(min=0, max=65535, metavar="N", help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    browser: Annotated[bool, option("--browser", help="Open the address in the browser, too.")] = False,
) -> None:
    """Walk through a heap in a browser.

    Leaks first; then each object with its fields, holders, sizes, birth and the ways to it; search,
    dominators, growth, and what-if on any reference. Only this machine gets in, by the address that is
    printed. Ends with Ctrl-C.
    """
    from leakscan.explorer.session import Session

    session = Session(snapshots, port=port)
    for number in (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
        signal.signal(number, _interrupt)
    print(session.door.address, flush=True)
    print("Ctrl-C ends it", file=sys.stderr)
    if browser:
        import webbrowser

        webbrowser.open(session.door.address)
    try:
        session.serve()
    except KeyboardInterrupt:
        print("closed", file=sys.stderr)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
