"""Makes the distribution leakscan-pytest out of leakscan-heap's: recorder and plugin, nothing else.

Usage: pytest_wheel.py WHEEL|SDIST [FOLDER]   Writes leakscan_pytest-VERSION-TAGS.whl, or its .tar.gz, beside
the file given, or into FOLDER.

It needs nothing but the standard library, so that `pip freeze` of the tests' environment is the same but for
itself. The files are those of leakscan-heap, the native module included (an sdist builds it), in a folder of their own:
both can be installed together, and leakscan-heap's own plugin is the one that is used then.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

INSIDE = "leakscan_pytest/recorder/"
PARTS = ("leakscan/record/", "leakscan/pytest_plugin/", "leakscan/_native.")
FILES = ("leakscan/__init__.py", "leakscan/errors.py", "leakscan/py.typed")
LEFT_OUT = (".mjs", ".pyi")
ENTRY = '''"""The pytest plugin of leakscan, in the environment of the tests: it records, a leakscan elsewhere analyses."""

import sys
from importlib import util
from pathlib import Path


def _is_whole(name: str) -> bool:
    """Whether a leakscan of this kind is installed here with its own plugin; another program has that name, too."""
    found = util.find_spec(name)
    return found is not None and any(
        Path(folder, "pytest_plugin", "__init__.py").exists() for folder in found.submodule_search_locations or ()
    )


if not _is_whole("leakscan"):
    if "leakscan" in sys.modules:
        raise ImportError("leakscan-pytest: another package called leakscan has been imported in this environment")
    sys.path.insert(0, str(Path(__file__).parent / "recorder"))
    try:
        from leakscan.pytest_plugin import *  # noqa: F403
        from leakscan.pytest_plugin import leakscan as leakscan
    finally:
        sys.path.remove(str(Path(__file__).parent / "recorder"))
'''
PROJECT = """[build-system]
requires = ["scikit-build-core>=0.10"]
build-backend = "scikit_build_core.build"

[project]
name = "leakscan-pytest"
version = "{version}"
description = "{summary}"
readme = "README.md"
license = "MIT"
license-files = ["LICENSE"]
requires-python = ">=3.11"
classifiers = ["Framework :: Pytest", "Topic :: Software Development :: Testing"]

[project.entry-points.pytest11]
leakscan_pytest = "leakscan_pytest"

[tool.scikit-build]
minimum-version = "0.10"
cmake.build-type = "Release"
cmake.define.LEAKSCAN_FOLDER = "{inside}leakscan"
wheel.py-api = "cp311"
wheel.packages = ["leakscan_pytest"]
"""
NATIVE = ("CMakeLists.txt", "LICENSE", "analyzer/native/")
"""What of leakscan-heap's sdist the native module is built of."""
SUMMARY = "pytest --leakscan without dependencies: records in the environment of the tests, analysed by a leakscan elsewhere"
README = """The pytest plugin of [leakscan-heap](https://pypi.org/project/leakscan-heap/) for the environment of your tests:
standard library and one native module, no dependencies. The analysis is done by a `leakscan` of the same version on
PATH (`uv tool install leakscan-heap`), or the one that the variable LEAKSCAN names.
"""
METADATA = """Metadata-Version: 2.4
Name: leakscan-pytest
Version: {version}
Summary: {summary}
License-Expression: MIT
License-File: LICENSE
Requires-Python: >=3.11
Classifier: Framework :: Pytest
Classifier: Topic :: Software Development :: Testing
Description-Content-Type: text/markdown

{readme}"""


def make(wheel: Path, folder: Path) -> Path:
    """The wheel of leakscan-pytest that belongs to a wheel of leakscan-heap."""
    name, version, tags = wheel.name.removesuffix(".whl").split("-", 2)
    if name != "leakscan_heap":
        raise SystemExit(f"error: {wheel} is no wheel of leakscan-heap")
    info = f"leakscan_pytest-{version}.dist-info/"
    with zipfile.ZipFile(wheel) as archive:
        files = {INSIDE + each: archive.read(each) for each in archive.namelist() if is_part(each)}
        old = next(each for each in archive.namelist() if each.endswith(".dist-info/WHEEL"))
        files[info + "WHEEL"] = archive.read(old)
        files[info + "licenses/LICENSE"] = archive.read(old.replace("/WHEEL", "/licenses/LICENSE"))
    files["leakscan_pytest/__init__.py"] = ENTRY.encode()
    files[info + "METADATA"] = METADATA.format(version=version, summary=SUMMARY, readme=README).encode()
    files[info + "entry_points.txt"] = b"[pytest11]\nleakscan_pytest = leakscan_pytest\n"
    made = folder / f"leakscan_pytest-{version}-{tags}.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            _write(archive, path, content)
        rows = [f"{path},{_hash(content)},{len(content)}" for path, content in sorted(files.items())]
        _write(archive, info + "RECORD", "\n".join([*rows, f"{info}RECORD,,\n"]).encode())
    return made


def make_sdist(sdist: Path, folder: Path) -> Path:
    """The sdist of leakscan-pytest that belongs to an sdist of leakscan-heap."""
    name, version = sdist.name.removesuffix(".tar.gz").split("-", 1)
    if name != "leakscan_heap":
        raise SystemExit(f"error: {sdist} is no sdist of leakscan-heap")
    files = {
        "pyproject.toml": PROJECT.format(version=version, summary=SUMMARY, inside=INSIDE).encode(),
        "README.md": README.encode(),
        "PKG-INFO": METADATA.format(version=version, summary=SUMMARY, readme=README).encode(),
        "leakscan_pytest/__init__.py": ENTRY.encode(),
    }
    with tarfile.open(sdist) as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            if not member.isfile() or (stream := archive.extractfile(member)) is None:
                continue
            if path.startswith(NATIVE):
                files[path] = stream.read()
            elif path.startswith("analyzer/") and is_part(path.removeprefix("analyzer/")):
                files[INSIDE + path.removeprefix("analyzer/")] = stream.read()
    made = folder / f"leakscan_pytest-{version}.tar.gz"
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"leakscan_pytest-{version}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    made.write_bytes(gzip.compress(whole.getvalue(), mtime=0))
    return made


def is_part(path: str) -> bool:
    """Whether a file of leakscan-heap's wheel belongs to it."""
    return path in FILES or (path.startswith(PARTS) and not path.endswith(LEFT_OUT))


def _write(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    # The same wheel gives the same bytes.
    entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _hash(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")


def main(arguments: Sequence[str]) -> int:
    if not 1 <= len(arguments) <= 2:
        print(__doc__, file=sys.stderr)
        return 2
    given = Path(arguments[0])
    folder = Path(arguments[1]) if len(arguments) > 1 else given.parent
    print(make(given, folder) if given.suffix == ".whl" else make_sdist(given, folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
