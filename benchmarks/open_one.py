"""Opens a snapshot in the explorer and follows links: `open_one.py SNAPSHOT PAGES`; prints what each took."""

from __future__ import annotations

import html
import json
import random
import re
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from leakscan.explorer.looking import Explorer
from leakscan.explorer.pages import answered

imported = time.process_time()
STARTS = ("/", "/dominators", "/types", "/strings", "/search?type=order", "/search?attribute=previous")


def main(snapshot: str, pages: str) -> None:
    start = time.process_time()
    explorer = Explorer([Path(snapshot)])
    assert explorer.heap is not None
    opened = time.process_time() - start
    explorer.prepare()
    first = answered(explorer, "/", {}, base="")
    assert first.status == 200
    prepared = time.process_time() - start
    # Names are found beside the tree: what this thread took is what two free cores need.
    on_two_cores = time.thread_time()
    for _ in explorer.rest():
        pass
    settled = time.process_time() - start
    chance, waiting, seen = random.Random(1), list(STARTS), set(STARTS)
    taken = []
    while waiting and len(taken) < int(pages):
        address = waiting.pop(0 if len(taken) < len(STARTS) else chance.randrange(len(waiting)))
        parts = urlsplit(address)
        start = time.process_time()
        page = answered(explorer, unquote(parts.path), dict(parse_qsl(parts.query)), base="")
        taken.append((time.process_time() - start, address))
        for link in map(html.unescape, re.findall('href="(/[^"]*)"', page.body)):
            # Patterns over every order are questions of their own.
            if link not in seen and "cut=" not in link and "find?" not in link and "growth" not in link:
                seen.add(link)
                waiting.append(link)
    taken.sort()
    worst = taken[-1]
    print(
        json.dumps(
            {
                "opened": opened,
                "imported": imported,
                "prepared": prepared,
                "on_two_cores": on_two_cores,
                "settled": settled,
                "pages": len(taken),
                "median": taken[len(taken) // 2][0],
                "worst": worst[0],
                "worst_page": worst[1],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
