"""What one leakscan command costs as a whole process. Usage: command_cost.py ARGUMENTS...

Prints the cost as the last line; the memory is the peak of the whole process, not its growth.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from measure import Cost, report_cost

CODE = "import sys; from leakscan.cli import main; sys.exit(main())"


def main(arguments: list[str]) -> None:
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], check=True, capture_output=True, text=True
    )
    wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    first_line = result.stdout.split("\n", 1)[0]
    report_cost(Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, first_line[:60]))


if __name__ == "__main__":
    main(sys.argv[1:])
