"""The explorer on a heap of 5.7 M objects: the first page, all, and a click; CPU from the start of Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import heap_program
import leakscan
from bench_query import OBJECTS
from measure import HERE

PAGES = 300


def has_chromium() -> bool:
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "chrome"))


def main() -> None:
    in_chromium = ""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "service.heap"
        store = heap_program.build(OBJECTS // heap_program.OBJECTS_PER_ORDER)
        leakscan.snapshot(file)
        del store
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "analyzer")]),
        }
        said = subprocess.run(
            [sys.executable, str(HERE / "open_one.py"), str(file), str(PAGES)],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
            timeout=600,
        ).stdout
        if has_chromium():
            in_chromium = subprocess.run(
                [sys.executable, str(HERE / "open_in_chromium.py"), str(file)],
                check=True,
                capture_output=True,
                text=True,
                env=environment,
                timeout=600,
            ).stdout
    found = json.loads(said.splitlines()[-1])
    print(f"\nThe explorer on a heap of {OBJECTS:,} objects, CPU")
    print(f"  read             {found['imported'] + found['opened']:.2f} s")
    print(f"  the first page   {found['imported'] + found['prepared']:.2f} s")
    print(f"    on two cores   {found['on_two_cores']:.2f} s")
    print(f"  all are ready    {found['imported'] + found['settled']:.2f} s")
    print(f"  a click          {found['median'] * 1000:.0f} ms (median of {found['pages']} pages)")
    print(f"  the worst        {found['worst'] * 1000:.0f} ms ({found['worst_page']})")
    if not in_chromium:
        print("  in Chromium      not measured: there is none (apt install chromium)")
        return
    seen = json.loads(in_chromium.splitlines()[-1])
    print("  in Chromium, from the start of `leakscan open` and from the click to the load event, wall")
    print(f"    the first page {seen['opened']:.2f} s")
    print(f"    the first click {seen['first'] * 1000:.0f} ms, while the pages are made ready")
    print(f"    a later click  {seen['median'] * 1000:.0f} ms (median)")
    print(f"    the worst      {seen['worst'] * 1000:.0f} ms ({seen['worst_page']})")


if __name__ == "__main__":
    main()
