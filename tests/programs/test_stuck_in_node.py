"""Async functions of Node that wait for all that a program can wait for, and for what nobody settles."""

import os
import subprocess
from pathlib import Path

import pytest

from leakscan.analysis.results.waits import Answer
from leakscan.answers.stuck import stuck
from node_runs import needs_node

NODES = [node for node in os.environ.get("LEAKSCAN_NODE", "node").split(":") if node]
PROGRAM = Path(__file__).parents[1] / "known_node" / "waits.mjs"
STUCK = {"stuck_lost", "stuck_own", "stuck_dead_stream"}


@needs_node
@pytest.mark.parametrize("node", NODES)
def test_only_functions_whose_promise_nothing_can_settle_are_accused(tmp_path, node):
    snapshot = tmp_path / "waits.heapsnapshot"
    with open("/dev/zero") as endless:
        subprocess.run([node, PROGRAM, snapshot], stdin=endless, check=True, timeout=120)
    found = stuck(snapshot)
    names = {group.chain[0].function for group in found.groups if group.answer is not Answer.CAN_WAKE}
    assert names == STUCK
    assert found.waiting > 50
