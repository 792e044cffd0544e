"""What is alive is kept out of the collections that follow, which then cost as much as what is new."""

from __future__ import annotations

import gc


class Frozen:
    """Objects that the collector leaves out. Where the program keeps some frozen itself, nothing is done."""

    def __init__(self) -> None:
        self.is_on = False

    def begin(self) -> None:
        """Leave out what is alive now."""
        if gc.get_freeze_count() == 0:
            gc.freeze()
            self.is_on = True

    def end(self) -> None:
        """Look at all again; nothing when that is so already."""
        if self.is_on:
            gc.unfreeze()
            self.is_on = False
