"""`leakscan export`: a snapshot in a format that other tools read."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option
from leakscan.cli.redact import Redact, level_of

EXAMPLES = (
    "leakscan export leak/ -o after.heapsnapshot",
    "leakscan export leak/after.heap --to parquet -o columns/",
)


class Format(StrEnum):
    """What `--format` may be."""

    V8 = "v8"
    PARQUET = "parquet"


def export(
    snapshot: Annotated[Path, argument(metavar="SNAPSHOT", help="A snapshot, or a capture: its last one.")],
    output: Annotated[
        Path, option("-o", "--output", metavar="PATH", help="The file, or for Parquet the folder.")
    ],
    to: Annotated[
        Format, option(help="V8's format, which Chrome DevTools opens, or Parquet files.")
    ] = Format.V8,
    redact: Redact = "none",
) -> None:
    """Write a snapshot in a format that other tools open.

    In Chrome DevTools: Memory panel, Load profile. The references keep their names.
    """
    from leakscan.answers.sources import snapshot_in
    from leakscan.errors import UsageError
    from leakscan.heap.reader import load
    from leakscan.report.share.redaction import STATEMENTS
    from leakscan.report.share.redaction_graph import redacted_graph

    level = level_of(redact)
    graph = redacted_graph(load(snapshot_in(snapshot)), level)
    if STATEMENTS[level]:
        print(STATEMENTS[level], file=sys.stderr)
    try:
        if to is Format.PARQUET:
            from leakscan.heap.export_parquet import export_parquet

            for path in export_parquet(graph, output):
                print(path)
            return
        import numpy as np

        from leakscan.analysis.graph.garbage import liveness
        from leakscan.heap.export_v8 import export_v8

        held = np.setdiff1d(liveness(graph).anchors, graph.roots.targets)
        written = export_v8(graph, output, held=held)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
    if written.cut_sizes:
        print(
            f"warning: {written.cut_sizes} sizes were cut to 4 GiB, the most V8's tools know", file=sys.stderr
        )
    print(f"{output}: {written.node_count} nodes, {written.edge_count} edges")
