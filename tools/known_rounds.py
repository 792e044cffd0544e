"""Captures every program with a known answer again and again, under each interpreter.

Usage: known_rounds.py [--rounds 20] [--folder .interpreters] [PROGRAM...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from leakscan.analysis.findings import Findings
from leakscan.capture import capture
from leakscan.cli.analyse import analysed_one
from leakscan.errors import LeakscanError
from test_all import find_interpreters

ROOT = Path(__file__).resolve().parent.parent
KNOWN = ROOT / "tests" / "known"


def wrong(findings: Findings, expected: dict[str, object]) -> str:
    """What is not as expected, "" when all of it is."""
    verdicts = expected["verdict"] if isinstance(expected["verdict"], list) else [expected["verdict"]]
    if findings.verdict not in verdicts:
        return f"verdict {findings.verdict}: {findings.headline}"
    if findings.verdict != "leak":
        return ""
    leak = findings.leaks[0]
    if len(findings.leaks) != 1:
        return f"{len(findings.leaks)} leaks: {[other.type_name for other in findings.leaks]}"
    if "rate" in expected and (leak.rate, leak.every_run) != (expected["rate"], expected["every_run"]):
        return f"rate {leak.rate}, every run: {leak.every_run}"
    if "type" in expected and leak.type_name.rpartition(".")[2] != expected["type"]:
        return f"type {leak.type_name}"
    label = leak.holder.label if leak.holder else ""
    if "holder" in expected and str(expected["holder"]) not in label:
        return f"holder {label!r}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=ROOT / ".interpreters")
    parser.add_argument("programs", nargs="*")
    options = parser.parse_args()
    expected = tomllib.loads((KNOWN / "expected.toml").read_text())
    names = options.programs or list(expected)
    failures = 0
    for version, python in find_interpreters(options.folder.resolve()).items():
        start, answers, before = time.monotonic(), 0, failures
        for round_number in range(1, options.rounds + 1):
            for name in names:
                with tempfile.TemporaryDirectory() as folder:
                    target, output = f"{KNOWN / name}.py:run", Path(folder) / "capture"
                    try:
                        capture(target, output=output, python=str(python))
                        problem = wrong(analysed_one([output]), expected[name])
                    except LeakscanError as error:
                        problem = f"{error.message} ({error.hint})"
                answers += 1
                if problem:
                    failures += 1
                    print(f"{version} round {round_number} {name}: {problem}", flush=True)
        seconds = time.monotonic() - start
        print(f"{version}: {answers - failures + before} of {answers} right, {seconds:.0f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
