"""From what a user points at (a capture, snapshots, a capsule) to an answer as frozen dataclasses.

Load, hand over what was measured, analyse: everything that a command says, a Python caller gets here. Nothing
prints, and `report` writes the words.
"""
