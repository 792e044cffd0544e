"""Makes the README pictures: page and explorer, on the demo. Needs Chromium. Usage: pictures.py [DIR]"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from browser import Browser, chromium  # noqa: E402
from leakscan.explorer.session import Session  # noqa: E402

WIDTH = 1000


def main(folder: Path) -> int:
    if chromium() is None:
        print("pictures need Chromium (apt install chromium)", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "fixtures").symlink_to(ROOT / "fixtures")
        leakscan(place, "capture", "streamlab:stream_once", "--runs", "20", "-o", "leak")
        leakscan(place, "report", "leak", "-o", "report.html")
        session = Session([place / "leak"])
        threading.Thread(target=session.serve, daemon=True).start()
        browser = Browser(place / "profile", has_network=True)
        try:
            browser.show_as(width=WIDTH)
            browser.open(place / "report.html")
            picture(browser, folder / "page.png", height=1180)
            browser.go(session.door.address)
            browser.click("main table a[href*='/leak/']")
            browser.click("ol.path li.survivor a")
            picture(browser, folder / "explorer.png", height=1000)
        finally:
            browser.close()
            session.door.close()
    return 0


def leakscan(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": "fixtures"}
    program = Path(sys.executable).parent / "leakscan"
    subprocess.run([program, *arguments], check=True, cwd=folder, env=environment, capture_output=True)


def picture(browser: Browser, file: Path, *, height: int) -> None:
    """The top of the page, no higher than it is."""
    whole = browser.run("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": min(height, whole), "scale": 1}
    answer = browser.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    file.write_bytes(base64.b64decode(answer["data"]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"))
