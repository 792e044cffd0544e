"""Builds the sdist, the wheel and the SBOM from a clean clone, and tries them in empty environments.

Usage: dist.py [OUTPUT]   (OUTPUT: dist/)
Exit 1 when a file is missing in a wheel, or an installed leakscan does not find the leak of tools/smoke.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from pytest_wheel import make, make_sdist

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
WANTED = (
    "leakscan/_native.abi3.so",
    "leakscan/_native.pyi",
    "leakscan/py.typed",
    "leakscan/pytest_plugin/__init__.py",
    "leakscan/demo/streamlab/__init__.py",
    "leakscan/record/driver.py",
    "leakscan/record/program/hook/sitecustomize.py",
    "leakscan/record/node/driver.mjs",
    "leakscan/report/html/templates/report.css",
    "leakscan/report/html/templates/report.html.j2",
    "leakscan/report/html/templates/report.js",
    "data/share/man/man1/leakscan.1",
    "dist-info/licenses/LICENSE",
    "dist-info/entry_points.txt",
)


def run(*command: str | Path, **options: object) -> str:
    result = subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, **options
    )
    if result.returncode:
        print(result.stdout, result.stderr, sep="\n", file=sys.stderr)
        raise SystemExit(f"failed: {' '.join(str(part) for part in command)}")
    return result.stdout


def build(output: Path, work: Path) -> tuple[Path, Path]:
    """The sdist and the wheel, which is built from the sdist and not from the clone."""
    clone = work / "clone"
    run("git", "clone", "-q", ROOT, clone)
    run(sys.executable, "-m", "build", "--outdir", output, clone)
    return next(output.glob("*.tar.gz")), next(output.glob("*.whl"))


def missing_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return [wanted for wanted in WANTED if not any(name.endswith(wanted) for name in names)]


def interpreters() -> dict[str, Path]:
    """Every interpreter at hand, by version."""
    found = {"{}.{}".format(*sys.version_info[:2]): Path(sys.executable)}
    places = [ROOT / ".interpreters" / "bin", *(Path.home() / ".pyenv" / "versions").glob("*/bin")]
    for version in VERSIONS:
        candidates = [str(place) for place in places if (place / f"python{version}").exists()]
        program = shutil.which(f"python{version}", path=os.pathsep.join([*candidates, os.environ["PATH"]]))
        if program is not None:
            found.setdefault(version, Path(program))
    return dict(sorted(found.items()))


def environment(wheel: Path, version: str, folder: Path) -> None:
    """The wheel and what it needs, in a folder of its own: works for interpreters that cannot make a venv."""
    flags = ["--target", folder, "--python-version", version, "--only-binary=:all:", "--implementation=cp"]
    run(sys.executable, "-m", "pip", "install", "-q", *flags, wheel)


def smoke(python: Path, folder: Path, work: Path) -> str:
    """The first line of the diff of tools/smoke.py."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LEAKSCAN"))}
    options = {"env": {**clean, "PYTHONPATH": str(folder)}, "cwd": str(work)}
    leakscan = (python, "-m", "leakscan")
    capture = work / f"capture-{folder.name}"
    run(*leakscan, "capture", ROOT / "tools" / "smoke.py:work", "--runs", "6", "-o", capture, **options)
    for ending in ("html", "md"):
        run(*leakscan, "report", capture, "-o", work / f"{folder.name}.{ending}", **options)
    answer = json.loads(run(*leakscan, "diff", capture, "--json", **options))
    headline: str = answer["headline"]
    return headline


def main(arguments: Sequence[str]) -> int:
    output = Path(arguments[0]) if arguments else ROOT / "dist"
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="leakscan-dist-") as folder:
        work = Path(folder)
        sdist, wheel = build(output, work)
        lacking = missing_in(wheel)
        recorder = make_sdist(sdist, output)
        for path in (sdist, wheel, make(wheel, output), recorder):
            print(f"{path.name}: {path.stat().st_size} bytes")
        failed = [f"the wheel lacks {name}" for name in lacking]
        for version, python in interpreters().items():
            environment(wheel, version, work / f"env-{version}")
            headline = smoke(python, work / f"env-{version}", work)
            print(f"{version}: {headline}")
            if not headline.startswith("LEAK  6 Session survive 6 runs"):
                failed.append(f"{version} answers {headline!r}")
        sbom = output / "leakscan-heap.cdx.json"
        bare = work / "bare"
        run(sys.executable, "-m", "venv", bare)
        run(bare / "bin" / "pip", "install", "-q", wheel)
        run(sys.executable, "-m", "cyclonedx_py", "environment", bare / "bin" / "python", "-o", sbom)
        print(f"{sbom.name}: {len(json.loads(sbom.read_text())['components'])} components")
        built = work / "recorder"
        run(sys.executable, "-m", "venv", built)
        # As where there is no wheel: it is compiled.
        run(built / "bin" / "pip", "install", "-q", "pytest", recorder)
        options = {"env": {**os.environ, "LEAKSCAN": str(bare / "bin" / "leakscan")}, "cwd": str(work)}
        (work / "test_smoke.py").write_text("def test_it():\n    pass\n")
        print(run(built / "bin" / "pytest", "-q", "--leakscan", "test_smoke.py", **options).splitlines()[-1])
    for sentence in failed:
        print(f"error: {sentence}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
