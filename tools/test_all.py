"""Run the test suite under every supported CPython that can be found, and say which are absent.

Usage: test_all.py [--folder .interpreters] [--fetch] [pytest arguments]

Interpreters come from PATH, from pyenv and from the folder that get_interpreters.sh fills. The test
dependencies are unpacked per version with `pip install --target`, so that no interpreter is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13", "3.14", "3.15")
ROOT = Path(__file__).resolve().parent.parent


def version_of(executable: Path) -> str | None:
    """`3.12` when it is a CPython that starts, else None."""
    probe = "import sys; print('%d.%d' % sys.version_info[:2] * (sys.implementation.name == 'cpython'))"
    try:
        result = subprocess.run(
            [executable, "-c", probe], check=False, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def find_interpreters(folder: Path) -> dict[str, Path]:
    """The first working CPython of each supported version."""
    found: dict[str, Path] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in SUPPORTED:
        on_path = shutil.which(f"python{version}")
        candidates = [
            *sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True),
            folder / "bin" / f"python{version}",
            *([Path(on_path)] if on_path else []),
        ]
        for candidate in candidates:
            if candidate.exists() and version_of(candidate) == version:
                found[version] = candidate
                break
    return found


def install_dependencies(version: str, site: Path) -> None:
    """Wheels for `version` of what the tests and the fixtures need, from the table in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = [*project["project"]["dependencies"], *groups["test"], *groups["service"]]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(site), "--upgrade"]
    # markers are evaluated for the pip that runs, so the version condition is applied by hand
    kept = [line.split(";")[0] for line in wanted if ";" not in line or version != "3.15"]
    stamp = site / "leakscan-wanted.txt"
    if stamp.exists() and stamp.read_text() == "\n".join(kept):
        return
    subprocess.run([*pip, "--python-version", version, "--only-binary", ":all:", *kept], check=True)
    stamp.write_text("\n".join(kept))


def main(arguments: list[str]) -> int:
    folder = ROOT / ".interpreters"
    if arguments[:1] == ["--folder"]:
        folder = Path(arguments[1]).resolve()
        arguments = arguments[2:]
    if arguments[:1] == ["--fetch"]:
        arguments = arguments[1:]
        subprocess.run(["sh", str(ROOT / "tools" / "get_interpreters.sh"), str(folder)], check=True)
    found = find_interpreters(folder)
    failed = []
    for version in SUPPORTED:
        if version not in found:
            print(f"== {version}: absent, not tested", flush=True)
            failed.append(version)
            continue
        # By the name of its folder a library is told from the program that uses it.
        site = folder / f"site-{version}" / "site-packages"
        install_dependencies(version, site)
        print(f"== {version}: {found[version]}", flush=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "analyzer"), str(site)])}
        code = subprocess.run(
            [found[version], "-m", "pytest", "-q", *arguments], check=False, cwd=ROOT, env=environment
        ).returncode
        if code:
            failed.append(version)
    print(f"== passed: {', '.join(v for v in SUPPORTED if v not in failed) or 'none'}")
    if failed:
        print(f"== failed or absent: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
