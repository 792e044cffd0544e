"""Other engines for V8 snapshots, installed from npm: memlab's, and the one of Chrome DevTools' front end.

v8_engines.py [FOLDER]   installs the pinned versions there (.v8-engines) unless they are there already
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "v8_engines"
FOLDER = SOURCES.parent.parent / ".v8-engines"
_NO_LOCALES = """export const LOCALES = ['en-US'];
export const BUNDLED_LOCALES = ['en-US'];
export const DEFAULT_LOCALE = 'en-US';
export const REMOTE_FETCH_PATTERN = '';
export const LOCAL_FETCH_PATTERN = '';
"""
HEAP = "--max-old-space-size=16384"


def installed(folder: Path = FOLDER) -> Path:
    """The folder with both engines ready to run. CalledProcessError: npm could not install them."""
    folder.mkdir(exist_ok=True)
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)
    if not (folder / "node_modules" / "@memlab").exists():
        # Scripts of the packages would download a browser.
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], check=True, cwd=folder
        )
    # The front end's own build writes this list of translations; English is none.
    locales = folder / "node_modules/chrome-devtools-frontend/front_end/core/i18n/locales.js"
    locales.write_text(_NO_LOCALES)
    bundle = [
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--log-level=error",
        "--outfile=devtools.bundle.mjs",
    ]
    subprocess.run(["node_modules/.bin/esbuild", "devtools.mjs", *bundle], check=True, cwd=folder)
    return folder


def command(engine: str, work: str, snapshot: Path, folder: Path) -> list[str]:
    """The command line that makes `engine` do `work`, "sizes" or "load", on `snapshot`."""
    script = {"devtools": "devtools.bundle.mjs", "memlab": "memlab.cjs"}[engine]
    return ["node", HEAP, str(folder / script), work, str(snapshot.resolve())]


if __name__ == "__main__":
    print(installed(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
