"""Inside a program that `leakscan capture -- COMMAND` started: its marks, and what each of them measures.

Standard library and `_native` only, and nothing that a framework may have patched: `_socket`, `_thread`.
"""

from typing import Final

VARIABLE: Final = "_LEAKSCAN_PROGRAM"
"""Set by `leakscan capture` in what it starts."""
