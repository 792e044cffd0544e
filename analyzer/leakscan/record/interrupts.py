"""Ctrl-C is for the target: held back while leakscan works, so that what it writes is whole."""

from __future__ import annotations

import signal


def hold_interrupts() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def allow_interrupts() -> None:
    """One that was held back so far raises KeyboardInterrupt here."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
