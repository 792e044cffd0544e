"""Questions in SQL to a heap of 5.7 M objects and 15 M references; memory is that of the whole process."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import heap_program
import leakscan
from measure import Cost, in_own_process, print_table

OBJECTS = 5_700_000
QUESTIONS = {
    "a join over all references": "SELECT t.name, count(*), sum(o.size) FROM refs r JOIN objects o"
    " ON o.object = r.target JOIN types t ON t.type = o.type GROUP BY 1 ORDER BY 2 DESC",
    "references by both types": "SELECT st.name, tt.name, count(*) FROM refs r JOIN objects s ON s.object ="
    " r.source JOIN objects t ON t.object = r.target JOIN types st ON st.type = s.type JOIN types tt"
    " ON tt.type = t.type GROUP BY 1, 2 ORDER BY 3 DESC",
    "retained_by_type": "SELECT * FROM retained_by_type",
    "biggest_containers": "SELECT * FROM biggest_containers LIMIT 20",
    "frequent_strings": "SELECT * FROM frequent_strings LIMIT 20",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "service.heap"
        store = heap_program.build(OBJECTS // heap_program.OBJECTS_PER_ORDER)
        leakscan.snapshot(file)
        del store
        graph = leakscan.load(file)
        title = f"SQL over {graph.object_count:,} objects, {graph.reference_count:,} references"
        del graph
        rows: list[tuple[str, Cost | str]] = [
            (name, in_own_process("query_one.py", str(file), sql)) for name, sql in QUESTIONS.items()
        ]
    print_table(title, rows, first_is_ours=False)


if __name__ == "__main__":
    sys.exit(main())
