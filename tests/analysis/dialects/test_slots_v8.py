"""Chains of Node's own are written as the source says them."""

from __future__ import annotations

import pytest

from leakscan.analysis.dialects.slots_v8 import as_written


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("globalThis.bus._events.data", "globalThis.bus.on('data')"),
        ("globalThis.bus._events['a-b'][*]", "globalThis.bus.on('a-b')"),
        (
            "globalThis.signal[Symbol(kEvents)].get('abort').next.next.callback",
            "globalThis.signal.addEventListener('abort')",
        ),
        ("globalThis.setTimeout closure 'timerListMap'[*]._idleNext._idleNext", "Node's timers[*]"),
        ("globalThis.setTimeout closure 'priorityQueue'.#heap[1]", "Node's timers[*]"),
        ("globalThis.setImmediate closure 'immediateQueue'.head._idleNext", "Node's immediates[*]"),
        ("globalThis.registry.head", "globalThis.registry.head"),
    ],
)
def test_a_chain_of_the_runtime_is_what_the_program_called(pattern: str, written: str):
    assert as_written(pattern) == written
