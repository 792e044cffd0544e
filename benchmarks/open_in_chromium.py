"""The explorer in Chromium: `open_in_chromium.py SNAPSHOT`; prints the seconds that a reader waits."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from browser import Browser

CLICKS = 40
PAGES = ("dominators", "types", "strings", "search?type=order")
_LINKS = "main a[href]:not([tabindex]):not([href*='find?']):not([href*='cut='])"
"""Maps say what the tables beside them say; patterns over every order are questions of their own."""


def main(snapshot: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder), has_network=True)
        start = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "leakscan", "open", snapshot],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            browser.go(address)
            opened = time.perf_counter() - start
            taken = clicked(browser, address)
        finally:
            server.terminate()
            server.wait()
            browser.close()
    # The first comes while the pages are still made ready.
    first, *rest = taken
    middle, worst = sorted(rest)[len(rest) // 2], max(rest)
    said = {"opened": opened, "first": first[0], "median": middle[0], "worst": worst[0]}
    print(json.dumps({**said, "worst_page": worst[1]}))


def clicked(browser: Browser, address: str) -> list[tuple[float, str]]:
    """(seconds, address) of each page that a link led to, from the click to its load event."""
    taken = []
    for page in PAGES:
        browser.go(address + page)
        for number in range(CLICKS // len(PAGES)):
            links = browser.run(f'document.querySelectorAll("{_LINKS}").length')
            if not links:
                browser.go(address + page)
                continue
            start = time.perf_counter()
            browser.messages.clear()
            browser.run(f'document.querySelectorAll("{_LINKS}")[{number * 7 % links}].click()')
            browser.wait_for_load()
            where = browser.run("location.pathname + location.search")
            taken.append((time.perf_counter() - start, "/" + where.split("/", 2)[2]))
    return taken


if __name__ == "__main__":
    main(*sys.argv[1:])
