"""`python -m leakscan`."""

from leakscan.cli import run

run()
