"""V8 snapshots: loading, dominators with retained sizes, and the diff of a pair. Needs node."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Cost, in_own_process, print_table

HERE = Path(__file__).resolve().parent
ROWS = (("load", "load"), ("load, dominators, retained", "dominators"), ("diff of a pair", "diff"))


def main(orders: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        before, after = (Path(directory) / f"{name}.heapsnapshot" for name in ("before", "after"))
        program = ["node", "--max-old-space-size=8192", str(HERE / "v8_program.mjs")]
        subprocess.run([*program, str(orders), str(before), str(after)], check=True)
        rows: list[tuple[str, Cost | str]] = [
            (title, in_own_process("v8_one.py", work, str(before), str(after))) for title, work in ROWS
        ]
        megabytes = after.stat().st_size / 1e6
    print_table(f"V8 snapshot of {megabytes:.0f} MB (memory includes nothing of the interpreter)", rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
