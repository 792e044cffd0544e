"""From `leakscan diff` of two big snapshots to the printed paths, as a whole process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from heap_program import OBJECTS_PER_ORDER
from measure import HERE, in_own_process, print_table


def main(objects: int, *, runs: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        before, after = str(Path(folder) / "before.heap"), str(Path(folder) / "after.heap")
        make = [sys.executable, "diff_pair.py", before, after, str(objects // OBJECTS_PER_ORDER), str(runs)]
        subprocess.run(make, check=True, cwd=HERE)
        rows = [
            (f"leakscan {command} (whole process, peak)", in_own_process("command_cost.py", command, *files))
            for command, files in (
                ("diff", (before, after)),
                ("paths", (after, "--type", "Order", "--limit", "100")),
                ("top", (after,)),
            )
        ]
    print_table(f"Analysis of snapshots of {objects:,} objects", rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_600_000)
