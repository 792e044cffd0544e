"""Runs the test suites of released packages with and without `pytest --leakscan`: nothing may alarm.

Usage: suites.py PACKAGE ...   The sdist is fetched with pip, and its tests run against the installed package.
For each suite one row of the table in docs/howto/test-with-pytest.md: seconds of CPU without, with, factor.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

NEEDS = {
    "anyio": ("trio", "pytest-mock", "psutil", "trustme", "truststore", "uvloop"),
    "attrs": ("hypothesis", "cloudpickle", "pympler"),
    "click": (),
    "h11": (),
    "httpx": ("trio", "trustme", "uvicorn", "chardet", "zstandard", "brotli", "h2", "socksio", "rich"),
    "itsdangerous": ("freezegun",),
    "more-itertools": (),
    "pluggy": ("pytest-benchmark",),
    "pyee": ("trio", "twisted", "pytest-trio"),
    "sortedcontainers": (),
    "starlette": ("httpx", "trio", "itsdangerous", "python-multipart", "jinja2"),
}
TESTS = {"h11": "h11/tests", "pluggy": "testing"}
PIP = (sys.executable, "-m", "pip")


def run_suite(package: str, arguments: Sequence[str]) -> int:
    """The exit code of pytest."""
    with tempfile.TemporaryDirectory(prefix="leakscan-suite-") as folder:
        download = [*PIP, "download", "-q", "--no-deps", "--no-binary", package, package, "-d", folder]
        subprocess.run(download, check=True)
        archive = next(Path(folder).glob("*.tar.gz"))
        with tarfile.open(archive) as sdist:
            sdist.extractall(folder, filter="data")
        root = Path(folder) / archive.name.removesuffix(".tar.gz")
        subprocess.run([*PIP, "install", "-q", str(root), *NEEDS.get(package, ())], check=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        # An editable leakscan is imported before pytest can rewrite it; suites make errors of warnings.
        quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning", "-W", "ignore::DeprecationWarning"]
        tests = [*quiet, TESTS.get(package, "tests"), *arguments]
        _, plain = run_and_time([*command, *tests], root)
        code, measured = run_and_time([*command, "--leakscan", *tests], root)
    print(f"| {package} | {plain:.1f} | {measured:.1f} | {measured / plain:.1f} |", flush=True)
    return code


def run_and_time(command: Sequence[str], folder: Path) -> tuple[int, float]:
    """The exit code, and the seconds of CPU of the process and its children."""
    before = _children_seconds()
    code = subprocess.run(command, cwd=folder, check=False).returncode
    return code, _children_seconds() - before


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str]) -> int:
    packages = [each for each in arguments if not each.startswith("-")]
    options = [each for each in arguments if each.startswith("-")]
    return max((run_suite(package, options) for package in packages), default=2)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
