"""`pytest --leakscan` on the tests of a real package raises no false alarm.

Here with the few that jsonschema carries in its wheel; `make suites SUITES="itsdangerous more-itertools"`
does the same with hundreds of tests out of the sdists of released packages.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


def test_no_test_of_a_real_package_alarms(tmp_path: Path):
    spec = find_spec("jsonschema.tests")
    if spec is None or spec.origin is None:
        pytest.skip("needs jsonschema with its tests")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--leakscan",
        "--leakscan-runs=5",
        f"--rootdir={tmp_path}",
    ]
    plugins = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:anyio"]
    suite = str(Path(spec.origin).parent / "test_utils.py")
    result = subprocess.run(
        [*command, *plugins, suite], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    passed = re.search(r"(\d+) passed", result.stdout)
    assert (result.returncode, passed is not None and int(passed[1]) > 20) == (0, True), result.stdout
