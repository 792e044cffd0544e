"""Writes the files of docs/schema from the dataclasses. Usage: schemas.py [DIR]"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from leakscan.capture.directory.run_file import CAPTURE_VERSION, ModesFile, RunFile
from leakscan.report.share.schema import documents, schema_of, schema_text

ROOT = Path(__file__).resolve().parent.parent


def texts() -> dict[str, str]:
    """What each file of docs/schema holds, by its name."""
    found = {f"{kind}-{version}.json": schema_text(kind) for kind, (_, version) in documents().items()}
    for name, kind in (("capture", RunFile), ("capture-modes", ModesFile)):
        schema = schema_of(kind, kind="capture", version=CAPTURE_VERSION)
        found[f"{name}-{CAPTURE_VERSION}.json"] = json.dumps(schema, indent=2, sort_keys=True) + "\n"
    return found


def main(arguments: Sequence[str]) -> None:
    directory = Path(arguments[0]) if arguments else ROOT / "docs" / "schema"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
