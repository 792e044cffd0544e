"""Drawn programs in V8, and what is found in their snapshots: one before the runs, one after each."""

import io

from leakscan.analysis.series import series
from leakscan.heap.reader import load
from v8_files import Drawing, written

RUNS = 12


def program():
    """A module with a scope, and ids that later nodes follow."""
    d = Drawing()
    d.node("gc", "synthetic", "(GC roots)", size=0)
    d.node("global", "object", "global")
    d.node("registry", "object", "Registry", size=32)
    d.node("class", "closure", "Registry", size=64, place=(7, 2))
    d.node("shared", "code", "(shared function info)")
    d.node("script", "code", "file:///app/flow.mjs")
    d.edge("root", "element", 1, "gc")
    d.edge("root", "shortcut", "2", "global")
    d.edge("global", "property", "registry", "registry")
    d.edge("global", "property", "Registry", "class")
    d.edge("class", "internal", "shared", "shared")
    d.edge("shared", "internal", "script_or_debug_info", "script")
    return d


def findings(drawn, runs=RUNS):
    return series(load(io.BytesIO(written(drawn(run).content()))) for run in range(runs + 1))
