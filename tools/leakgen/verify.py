"""Proof of the truth: leaks grow as stated and go with their cure; innocents do not grow in the long run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .program import Program, without

MOST_OBJECTS, MOST_OF_A_TYPE = 60, 16
"""In 100 runs: less than the rarest leak, more than the phase of a buffer that is emptied now and then."""


def verify(program: Program, python: str = sys.executable) -> list[str]:
    """What is wrong with the truth of a program of the form `capture`; nothing when it holds."""
    wrong = []
    truth = program.truth()
    if truth["leaks"]:
        answer = _drive(program, "leaks", python)
        if isinstance(answer, str):
            return [answer]
        for leak, seen in zip(truth["leaks"], answer["leaks"], strict=True):
            expected, slack = sum(leak["births"]), leak["slack"] + truth["keeps"]
            if abs(seen["grew"] - expected) > slack + 0.01 * expected:
                wrong.append(f"{leak['family']}: grew by {seen['grew']}, not {expected}")
            if seen["left"] > slack:
                wrong.append(f"{leak['family']}: {seen['left']} left after the cure")
    answer = _drive(without(program, {f.family for f in program.fragments if f.leak}), "innocents", python)
    if isinstance(answer, str):
        return [*wrong, answer]
    for name, grown in answer["grew"].items():
        if grown > MOST_OF_A_TYPE:
            wrong.append(f"innocents: {name} grew by {grown} in runs 110 to 210")
    if answer["objects"] > MOST_OBJECTS:
        wrong.append(f"innocents: {answer['objects']} more objects from run 110 to 210")
    return wrong


def _drive(program: Program, task: str, python: str) -> dict | str:
    with tempfile.TemporaryDirectory() as folder:
        program.write(Path(folder))
        home = str(Path(__file__).parent.parent)
        done = subprocess.run(
            [python, "-m", "leakgen.driver", folder, task],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": home, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    for line in done.stdout.splitlines():
        if line.startswith("ANSWER "):
            return json.loads(line[7:])
    return f"{task}: it does not run: {done.stderr.strip()[-600:]}"
