"""What the exit code of a command says. 0 is fine, for all of them."""

from __future__ import annotations

from typing import Final

LEAKS_FOUND: Final = 1
"""The check failed: leaks were found, or a fix did not make it better. Never for a crash."""
CANNOT_RUN: Final = 2
INTERRUPTED: Final = 130
READER_GONE: Final = 141
"""128 + SIGPIPE, as a shell reports it: neither "fine" nor "leaks found"."""
