"""Changes rules, rows of tables and constants one at a time, and runs the fast tests: each must be noticed.

Usage: mutants.py [--only WORD] [--jobs 2] [--list] [--show] [--fresh] [--tests FILE ...]

Where to look is declared in `mutants_made.py` by paths. A mutant lives in memory only: a child process of its
own imports the changed module and runs those tests that come to what was changed, the quickest first. What no
test notices is a survivor; `mutants.toml` gives the reason for those that may be. Exit code 1 when there are
others, or when a reason has no survivor. What was found out is kept in build/mutants.jsonl: a run that was
stopped goes on, and one after a change first asks the test that noticed a mutant before.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import resource
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest
from hypothesis import settings

from mutants_kept import Kept, Outcome
from mutants_made import PACKAGE, ROOT, Mutant, mutants
from mutants_reach import Reached, Recorder, import_of_others, read_reached, tests_that_can_notice

Found = TypeVar("Found")
ALLOWED = Path(__file__).with_suffix(".toml")
KEPT = ROOT / "build" / "mutants.jsonl"
_SECONDS = 30
"""of CPU, and ten times what the tests take unchanged: a change may make a loop that does not end"""
_BYTES = 6 << 30
_SLOW = re.compile(
    r"test_kernels_(doors|scale|twins)|test_report_any|test_replay|browser|test_known|test_cases|test_capture"
)
_STARTS_PROCESSES = re.compile(
    r"(from|import) (leakscan\.(capture|record|answers|cli)|subprocess|node_runs|case_runs|zoo_runs)\b"
    r"|\bpytester\b"
)
_DRAWS = re.compile(r"leakscan\.(analysis|heap)\b|from drawn_|findings_samples")


def fast_tests() -> list[Path]:
    """Tests that draw heaps and start no process."""
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if "cases" not in path.parts]
    texts = {path: path.read_text() for path in tests if not _SLOW.search(path.name)}
    return sorted(
        path for path, text in texts.items() if _DRAWS.search(text) and not _STARTS_PROCESSES.search(text)
    )


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives one module its changed source."""

    def __init__(self, mutant: Mutant, source: str) -> None:
        self._name, self._path, self._source = mutant.module, str(mutant.path), source

    def find_spec(
        self, fullname: str, path: object, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = importlib.util.spec_from_loader(fullname, self, origin=self._path)
        if spec is not None:
            spec.has_location = True
        return spec

    def get_source(self, fullname: str) -> str:
        return self._source


class _Chosen:
    """A plugin of pytest that runs these tests in this order, and writes down what fails."""

    def __init__(self, chosen: Sequence[str], notes: int) -> None:
        self._order, self._notes = {test: place for place, test in enumerate(chosen)}, notes

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(self._notes, report.nodeid.encode()[:4000])


def outcome_as_before(mutant: Mutant, reached: Reached, kept: Kept) -> Outcome | None:
    """That the test which noticed it in an earlier run still does; None: all that can have to be asked."""
    test = kept.noticed_by(mutant)
    if test not in reached.seconds:
        return None
    known = kept.outcome(mutant, [test])
    return known if known is not None else _asked(mutant, [test], [[test]], reached, kept)


def outcome(mutant: Mutant, tests: list[Path], reached: Reached, kept: Kept) -> Outcome:
    """Whether a test fails, or does not come to its end, with one of the mutant's sources."""
    chosen = tests_that_can_notice(mutant, reached, tests)
    known = kept.outcome(mutant, chosen)
    if known is not None:
        return known
    near = [test for test in chosen if _is_near(mutant, ROOT / test.partition("::")[0])]
    rest = [test for test in chosen if test not in set(near)]
    found = _asked(mutant, chosen, [near, rest], reached, kept)
    return found if found is not None else kept.keep(mutant, chosen, Outcome("", len(chosen), 0.0))


def _asked(
    mutant: Mutant, chosen: list[str], parts: list[list[str]], reached: Reached, kept: Kept
) -> Outcome | None:
    """What the tests say, part by part; None when none of them notices."""
    start = time.monotonic()
    noticed = (
        _noticed_by(_Changed(mutant, source), part, sum(reached.seconds[test] for test in part))
        for part in parts
        if part
        for source in mutant.sources
    )
    by = next(filter(None, noticed), "")
    return kept.keep(mutant, chosen, Outcome(by, len(chosen), time.monotonic() - start)) if by else None


@cache
def _words(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"[\w.]+", path.read_text()))


def _is_near(mutant: Mutant, test: Path) -> bool:
    """Whether a file of tests names a module of the changed one's room, or lies where the tests of it are."""
    room = mutant.path.parent.relative_to(PACKAGE)
    if len(room.parts) == 1:
        return mutant.module in _words(test)
    start = f"{mutant.module.rpartition('.')[0]}."
    return test.parent == ROOT / "tests" / room or any(word.startswith(start) for word in _words(test))


def _noticed_by(change: _Changed, chosen: Sequence[str], seconds_unchanged: float) -> str:
    """The first of these tests that fails with the change, "" when none does."""
    files = sorted({str(ROOT / test.partition("::")[0]) for test in chosen})
    seconds = _SECONDS + round(10 * seconds_unchanged)
    reader, notes = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
        sys.meta_path.insert(0, change)
        _run_tests(["-x", *files], [_Chosen(chosen, notes)])
    os.close(notes)
    with os.fdopen(reader, "rb") as file:
        said = file.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    nothing_failed = (0, pytest.ExitCode.NO_TESTS_COLLECTED << 8)
    return "" if status in nothing_failed else said or f"the tests do not run: status {status}"


def look_at_the_unchanged(tests: list[Path]) -> Reached:
    """Runs all tests once and records what they come to."""
    return _looked_at(tests, lambda file: [Recorder(file, with_lines=True)])


def look_at_those_that_noticed(wanted: list[Mutant], tests: list[Path], kept: Kept) -> Reached:
    """Runs those tests once that an earlier run would begin with, and records which pass."""
    noticed = sorted({kept.noticed_by(mutant) for mutant in wanted} - {""})
    files = [path for path in tests if any(ROOT / test.partition("::")[0] == path for test in noticed)]
    if not files:
        return Reached()
    reader, notes = os.pipe()
    try:
        return _looked_at(files, lambda file: [Recorder(file, with_lines=False), _Chosen(noticed, notes)])
    finally:
        os.close(reader)
        os.close(notes)


def _looked_at(tests: list[Path], plugins: Callable[[Path], Sequence[object]]) -> Reached:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "reached"
        child = os.fork()
        if child == 0:
            _run_tests(list(map(str, tests)), plugins(file))
        os.waitpid(child, 0)
        return read_reached(file)


def _run_tests(arguments: list[str], plugins: Sequence[object]) -> None:
    """In the child: ends it with the exit code of pytest."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    # Few and always the same examples: a mutant that is noticed by chance is not noticed.
    settings.register_profile("mutants", max_examples=20, derandomize=True, database=None, deadline=None)
    settings.load_profile("mutants")
    # Plugins of other packages take as long to load as the tests take.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    code = 70
    with contextlib.suppress(BaseException):
        os.chdir(ROOT)
        code = int(
            pytest.main(
                ["-q", "-p", "no:cacheprovider", "--tb=no", "--assert=plain", *arguments],
                plugins,
            )
        )
    os._exit(code)


def main() -> int:
    options = _options()
    wanted = [mutant for mutant in mutants() if re.search(options.only, mutant.name)]
    allowed = tomllib.loads(ALLOWED.read_text()) if ALLOWED.exists() else {}
    if options.list:
        print(*(mutant.name for mutant in wanted), sep="\n")
        return 0
    start = time.monotonic()
    tests = [path.resolve() for path in options.tests] or fast_tests()
    with tempfile.TemporaryDirectory() as directory:
        # What was compiled once is not compiled again for each mutant; none of it stays.
        sys.pycache_prefix, sys.dont_write_bytecode = directory, False
        return _run(wanted, tests, allowed, options, start)


def _run(
    wanted: list[Mutant],
    tests: list[Path],
    allowed: dict[str, str],
    options: argparse.Namespace,
    start: float,
) -> int:
    if options.fresh:
        KEPT.unlink(missing_ok=True)
    kept = Kept(None if options.tests else KEPT)
    before = look_at_those_that_noticed(wanted, tests, kept)
    import_of_others(before.modules)
    survivors, left = [], []
    for mutant, known in _outcomes(wanted, lambda one: outcome_as_before(one, before, kept), options.jobs):
        if known is None:
            left.append(mutant)
        elif options.show:
            print(f"{mutant.name}\n    {known.seconds:.1f} s, {known.noticed}", flush=True)
    seconds = time.monotonic() - start
    print(f"{len(wanted)} mutants, {len(wanted) - len(left)} noticed as before: {seconds:.0f} s", flush=True)
    if left:
        reached = look_at_the_unchanged(tests)
        import_of_others(reached.modules)
        if reached.failed:
            print("left out, for they fail without a change:", *reached.failed[:20], sep="\n    ")
        print(f"{len(left)} mutants, {len(reached.seconds)} tests", flush=True)
        for mutant, found in _outcomes(left, lambda one: outcome(one, tests, reached, kept), options.jobs):
            if not found.noticed:
                survivors.append(mutant.name)
                reason = [f"allowed: {allowed[mutant.name]}"] if mutant.name in allowed else []
                print(f"not noticed ({found.tests} tests): {mutant.name}", *reason, sep="\n    ", flush=True)
            elif options.show:
                print(f"{mutant.name}\n    {found.seconds:.1f} s, {found.noticed}", flush=True)
    return _verdict(wanted, survivors, allowed, start)


def _outcomes(
    wanted: list[Mutant], ask: Callable[[Mutant], Found], jobs: int
) -> Iterator[tuple[Mutant, Found]]:
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(wanted, pool.map(ask, wanted), strict=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="mutants in whose name this pattern is found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true", help="name the mutants, run nothing")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found out")
    parser.add_argument(
        "--tests", nargs="*", type=Path, default=[], help="these files only; nothing of it is kept"
    )
    parser.add_argument("--show", action="store_true", help="say which test noticed")
    return parser.parse_args()


def _verdict(wanted: list[Mutant], survivors: list[str], allowed: dict[str, str], start: float) -> int:
    bad = [name for name in survivors if name not in allowed]
    names = {mutant.name for mutant in wanted}
    idle = [name for name in allowed if name in names and name not in survivors]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(wanted) - len(survivors)} of {len(wanted)} noticed, {len(survivors) - len(bad)} allowed, "
        f"{len(bad)} not noticed; {time.monotonic() - start:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} s of CPU"
    )
    for name in idle:
        print(f"noticed by now, take it out of {ALLOWED.name}: {name}")
    return 1 if bad or idle else 0


if __name__ == "__main__":
    sys.exit(main())
