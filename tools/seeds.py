"""Measures every scenario of the seeds and writes the generated parts of docs/explanation.

Exit code 1 when a scenario differs from what is expected, or a sentence of a page from what was measured.
"""

from __future__ import annotations

import sys

from seeds_claims import claims_page
from seeds_fixes import matrix, write_table
from seeds_maps import maps
from seeds_page import Streams, streams_page
from seeds_page_maps import Maps, maps_page
from seeds_page_native import Native, native, native_page
from seeds_scenarios import answers
from seeds_text import DOCS


def main() -> int:
    streams = Streams(matrix(), answers("fourteen.toml"), answers("ways.toml"))
    return write(streams, maps(), native())


def write(streams: Streams, maps: Maps, native: Native) -> int:
    pages = [
        streams_page(streams),
        maps_page(maps),
        native_page(native),
        claims_page(streams, maps, native),
    ]
    write_table(streams.matrix, DOCS / "fixes.csv")
    for page in pages:
        page.write()
    wrong = [f"{page.name}: {what}" for page in pages for what in page.wrong]
    for what in wrong:
        print(f"not as measured: {what}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
