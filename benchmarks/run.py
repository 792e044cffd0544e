"""Every benchmark, one table after another: `make bench`. About ten minutes on two cores.

The figures to reach stand in the design; machines are noisy, so look at ratios within one run.
"""

from __future__ import annotations

import subprocess
import sys

from measure import HERE

BENCHMARKS = ("bench_walk.py", "bench_diff.py", "bench_births.py", "bench_kernels.py", "bench_v8.py")


def main() -> int:
    print(f"Python {sys.version.split()[0]}, {sys.platform}", flush=True)
    failed = [
        name
        for name in BENCHMARKS
        if subprocess.run([sys.executable, name], check=False, cwd=HERE).returncode
    ]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
