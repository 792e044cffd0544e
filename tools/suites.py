"""Runs the test suites of released packages under `pytest --leakscan`: nothing may alarm.

Usage: suites.py PACKAGE ...   The sdist is fetched with pip, and its tests run against the installed package.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

NEEDS = {
    "itsdangerous": ("freezegun",),
    "attrs": ("hypothesis", "cloudpickle", "pympler"),
    "more-itertools": (),
    "pyee": ("trio", "twisted", "pytest-trio"),
    "click": (),
    "sortedcontainers": (),
    "starlette": ("httpx", "trio", "itsdangerous", "python-multipart", "jinja2"),
}
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
        command = [sys.executable, "-m", "pytest", "-q", "--leakscan", "-p", "no:cacheprovider"]
        # An editable leakscan is imported before pytest can rewrite it; suites make errors of warnings.
        quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning", "-W", "ignore::DeprecationWarning"]
        return subprocess.run([*command, *quiet, "tests", *arguments], cwd=root, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    packages = [each for each in arguments if not each.startswith("-")]
    options = [each for each in arguments if each.startswith("-")]
    return max((run_suite(package, options) for package in packages), default=2)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
