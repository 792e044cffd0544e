"""Compares retained sizes with memlab's, node by node: v8_against_memlab.py MEMLAB_FOLDER SNAPSHOT...

MEMLAB_FOLDER is one in which `npm install @memlab/core` was run. Prints how many nodes agree and, of the
others, how many of each type. What the difference should be is in docs/explanation/v8.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import numpy as np

from leakscan import load
from leakscan.analysis import kernels
from leakscan.analysis.garbage import liveness

SCRIPT = """
const { config, utils, TraceFinder } = require('@memlab/core');
config.muteConsole = true;
utils.getSnapshotFromFile(process.argv[1], { buildNodeIdIndex: true, verbose: false }).then((snapshot) => {
  new TraceFinder().calculateAllNodesRetainedSizes(snapshot);
  const rows = [];
  snapshot.nodes.forEach((node) => { rows.push([node.id, node.self_size, node.retainedSize]); });
  process.stdout.write(JSON.stringify(rows));
});
"""


def main(folder: str, *snapshots: str) -> None:
    for snapshot in snapshots:
        command = ["node", "--max-old-space-size=8192", "-e", SCRIPT, snapshot]
        rows = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=folder).stdout)
        theirs = {node: (own, retained) for node, own, retained in rows}
        graph = load(snapshot)
        life = liveness(graph)
        tree = kernels.dominators(life.csr, roots=life.anchors, skip=life.weak)
        # memlab adds up the sizes in the file: ours are moved to owners first.
        sizes = np.array([theirs[node][0] for node in graph.addresses.tolist()], np.uint64)
        retained = tree.retained_sizes(sizes)[: graph.object_count].tolist()
        other = Counter(
            graph.type_name(obj)
            for obj, node in enumerate(graph.addresses.tolist())
            if theirs[node][1] != retained[obj]
        )
        same = graph.object_count - other.total()
        print(f"{snapshot}: {same} of {graph.object_count} nodes agree; others: {dict(other.most_common())}")


if __name__ == "__main__":
    main(*sys.argv[1:])
