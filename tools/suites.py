"""Runs the test suites of released packages with and without `pytest --leakscan`: nothing may alarm.

Usage: suites.py [PACKAGE ...] [OPTION OF PYTEST ...]   Without a package: all of PAGE's table.
The sdist is fetched with pip, and its tests run against that version, installed into an environment of its
own, in which leakscan is not: its plugin is put on the path, and LEAKSCAN names the one here. Each suite runs
once before it is timed, so that its bytecode is written. The row of each suite in the table of
docs/howto/test-with-pytest.md is written anew: tests, seconds of CPU without and with, factor, alarms. Exit 1
when a suite fails with leakscan that passes without, or when a factor is above MOST_FACTOR.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "howto" / "test-with-pytest.md"
MOST_FACTOR = 3.0
SUITES = ("anyio", "attrs", "click", "h11", "httpx", "itsdangerous", "pluggy", "starlette")
NEEDS = {
    "anyio": (
        "trio",
        "pytest-mock",
        "pytest-timeout",
        "psutil",
        "trustme",
        "truststore",
        "uvloop",
        "hypothesis",
    ),
    "attrs": ("hypothesis", "cloudpickle", "pympler"),
    "httpx": (
        "trio",
        "trustme",
        "uvicorn",
        "chardet",
        "zstandard",
        "brotli",
        "h2",
        "socksio",
        "rich",
        "click",
    ),
    "itsdangerous": ("freezegun",),
    "pluggy": ("pytest-benchmark",),
    "pyee": ("trio", "twisted", "pytest-trio"),
    "starlette": (
        "httpx",
        "httpx2",
        "trio",
        "itsdangerous",
        "python-multipart",
        "jinja2",
        "opentelemetry-sdk",
    ),
}
TESTS = {"h11": "h11/tests", "pluggy": "testing"}
QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning", "-W", "ignore::DeprecationWarning")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of pytest: its exit code, its seconds of CPU with its children's, its last line."""

    code: int
    cpu_seconds: float
    passed: int
    failed: int


def row_of(package: str, arguments: Sequence[str], folder: Path) -> tuple[str, str, bool]:
    """The suite with its version, its row of the table, and whether that is as it should be."""
    python = folder / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    pip = [python, "-m", "pip", "-q"]
    subprocess.run([*pip, "download", "--no-deps", "--no-binary", package, package, "-d", folder], check=True)
    archive = next(folder.glob("*.tar.gz"))
    with tarfile.open(archive) as sdist:
        sdist.extractall(folder, filter="data")
    root = folder / archive.name.removesuffix(".tar.gz")
    version = root.name.rpartition("-")[2]
    subprocess.run([*pip, "install", "pytest", f"{package}=={version}", *NEEDS.get(package, ())], check=True)
    (next((folder / "env" / "lib").iterdir()) / "site-packages" / "ours.pth").write_text(
        f"{ROOT / 'analyzer'}\n"
    )
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *QUIET]
    tests = [TESTS.get(package, "tests"), *arguments]
    measuring = ["-p", "leakscan.pytest_plugin", "--leakscan"]
    run_suite([*command, *tests], root)
    plain = run_suite([*command, *tests], root)
    measured = run_suite([*command, *measuring, *tests], root)
    factor = measured.cpu_seconds / plain.cpu_seconds
    alarms = measured.failed - plain.failed
    row = (
        f"| {package} {version} | {plain.passed} | {plain.cpu_seconds:.1f} | {measured.cpu_seconds:.1f} "
        f"| {factor:.1f} | {alarms} |"
    )
    return package, row, factor <= MOST_FACTOR and measured.code == plain.code


def run_suite(command: Sequence[str], folder: Path) -> Run:
    environment = {**os.environ, "LEAKSCAN": f"{sys.executable} -m leakscan"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = _children_seconds()
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", done.stdout)}
    if not counts:
        print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
    return Run(
        done.returncode, _children_seconds() - before, counts.get("passed", 0), counts.get("failed", 0)
    )


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_row(package: str, row: str) -> None:
    """Put it in the place of the package's row, or at the end of the table."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("| suite |")) + 2
    end = next(at for at in range(start, len(lines)) if not lines[at].startswith("|"))
    rows = {line.split()[1]: line for line in lines[start:end]} | {package: row}
    lines[start:end] = [rows[name] for name in sorted(rows)]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    packages = [each for each in arguments if not each.startswith("-")] or list(SUITES)
    options = [each for each in arguments if each.startswith("-")]
    are_right = True
    for package in packages:
        with tempfile.TemporaryDirectory(prefix="leakscan-suite-") as folder:
            name, row, is_right = row_of(package, options, Path(folder))
        print(row, flush=True)
        write_row(name, row)
        are_right = are_right and is_right
    return 0 if are_right else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
