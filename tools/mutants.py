"""Changes rules, rows of tables and constants one at a time, and runs the fast tests: each must be noticed.

Usage: mutants.py [--only WORD] [--jobs 2] [--list]

Where to look is declared below by paths. A mutant lives in memory only: a child process of its own imports
the changed module and runs the tests that draw heaps. What no test notices is a survivor; `mutants.toml`
gives the reason for those that may be. Exit code 1 when there are others, or when a reason has no survivor.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "analyzer" / "leakscan"
ALLOWED = Path(__file__).with_suffix(".toml")

TABLES = ("analysis/judge/*.py",)
"""Each row of a table of these modules is taken out: a tuple, list, set or dict with a name in capitals."""
BRANCHES = ("analysis/judge/*.py",)
"""Each `if` of these modules is never true: a rule that is gone."""
CONSTANTS = ("analysis/*.py", "analysis/*/*.py")
"""Each number with a name in capitals is halved and doubled; each pattern matches nothing."""

LONGEST_SECONDS = 180
_SLOW = re.compile(r"test_kernels_|test_report_any|test_replay|browser|test_known|test_cases|test_capture")
_STARTS_PROCESSES = re.compile(
    r"(from|import) (leakscan\.(capture|record|answers|cli)|subprocess|node_runs|case_runs|zoo_runs)\b"
    r"|\bpytester\b"
)
_DRAWS = re.compile(r"leakscan\.(analysis|heap)\b|from drawn_|findings_samples")
_WHOLE = re.compile(r"from drawn_(leaks|runs)|leakscan\.analysis\.(diff|told|series)\b")
_NAME = re.compile(r"_*[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `name` tells what was changed, and stays the same when lines move."""

    path: Path
    name: str
    sources: tuple[str, ...]
    """alternatives: noticed when the tests fail with one of them"""

    @property
    def module(self) -> str:
        return ".".join(("leakscan", *self.path.relative_to(PACKAGE).with_suffix("").parts))


def mutants() -> Iterator[Mutant]:
    """Every change of every declared place, by module."""
    for path in sorted({*_files(TABLES), *_files(BRANCHES), *_files(CONSTANTS)}):
        tree = ast.parse(path.read_text())
        place = str(path.relative_to(PACKAGE))
        if path in _files(TABLES):
            yield from _without_rows(path, place, tree)
        if path in _files(CONSTANTS):
            yield from _with_other_constants(path, place, tree)
        if path in _files(BRANCHES):
            yield from _without_branches(path, place, tree)


def _files(patterns: Iterable[str]) -> list[Path]:
    return sorted(path for pattern in patterns for path in PACKAGE.glob(pattern) if path.stem != "__init__")


def _assigned(tree: ast.Module) -> Iterator[tuple[int, str, ast.expr]]:
    """(place in the module, name, value) of every name in capitals."""
    for number, statement in enumerate(tree.body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, value = statement.target.id, statement.value
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, value = statement.targets[0].id, statement.value
        else:
            continue
        if value is not None and _NAME.fullmatch(name):
            yield number, name, value


def _without_rows(path: Path, place: str, tree: ast.Module) -> Iterator[Mutant]:
    for number, name, value in _assigned(tree):
        table = _table_in(value)
        if table is None:
            continue
        rows = table.values if isinstance(table, ast.Dict) else table.elts
        if all(isinstance(row, ast.Constant) and isinstance(row.value, int | float) for row in rows):
            # A table of figures is one constant.
            changed = copy.deepcopy(tree)
            for row in ast.walk(changed.body[number]):
                if isinstance(row, ast.Constant) and isinstance(row.value, int | float):
                    row.value = row.value * 2
            yield Mutant(path, f"{place} {name} doubled", (ast.unparse(changed),))
            continue
        for row, content in enumerate(rows):
            changed = copy.deepcopy(tree)
            other = _table_in(changed.body[number].value)  # type: ignore[attr-defined]  # an assignment
            assert other is not None
            if isinstance(other, ast.Dict):
                text = ast.unparse(other.keys[row] or content)
                del other.keys[row], other.values[row]
            else:
                text = ast.unparse(content)
                del other.elts[row]
            yield Mutant(path, f"{place} {name} without {_short(text)}", (ast.unparse(changed),))


def _table_in(value: ast.expr) -> ast.Tuple | ast.List | ast.Set | ast.Dict | None:
    """The literal of a table; `frozenset((...))` and `MappingProxyType({...})` hold one."""
    if isinstance(value, ast.Call) and len(value.args) == 1:
        value = value.args[0]
    is_table = isinstance(value, ast.Tuple | ast.List | ast.Set | ast.Dict)
    return value if is_table and _length(value) > 0 else None  # type: ignore[return-value,arg-type]


def _length(table: ast.Tuple | ast.List | ast.Set | ast.Dict) -> int:
    return len(table.values if isinstance(table, ast.Dict) else table.elts)


def _with_other_constants(path: Path, place: str, tree: ast.Module) -> Iterator[Mutant]:
    for number, name, value in _assigned(tree):
        others = list(_others(value))
        if not others:
            continue
        sources = []
        for other in others:
            changed = copy.deepcopy(tree)
            changed.body[number].value = other  # type: ignore[attr-defined]  # an assignment
            sources.append(ast.unparse(ast.fix_missing_locations(changed)))
        yield Mutant(path, f"{place} {name} = {_short(ast.unparse(value))}", tuple(sources))


def _others(value: ast.expr) -> Iterator[ast.expr]:
    is_negative = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
    inner = value.operand if isinstance(value, ast.UnaryOp) and is_negative else value
    if isinstance(inner, ast.Constant) and isinstance(inner.value, int | float):
        number = inner.value
        if isinstance(number, bool):
            yield ast.Constant(not number)
            return
        for other in (number // 2 if isinstance(number, int) else number / 2, number * 2 or 1):
            yield ast.UnaryOp(ast.USub(), ast.Constant(other)) if is_negative else ast.Constant(other)
    elif isinstance(inner, ast.Call) and ast.unparse(inner.func) == "re.compile":
        yield ast.Call(inner.func, [ast.Constant("(?!)"), *inner.args[1:]], inner.keywords)


def _without_branches(path: Path, place: str, tree: ast.Module) -> Iterator[Mutant]:
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for number, branch in enumerate(node for node in ast.walk(function) if isinstance(node, ast.If)):
            text = f"{place} {function.name}: if {_short(ast.unparse(branch.test))}"
            kept, branch.test = branch.test, ast.Constant(False)
            source = ast.unparse(tree)
            branch.test = kept
            # What a test assigns is used after it.
            if any(isinstance(node, ast.NamedExpr) for node in ast.walk(kept)):
                source = _with_test(tree, function.name, number)
            yield Mutant(path, text, (source,))


def _with_test(tree: ast.Module, function: str, number: int) -> str:
    """The module with `test and False`, which still evaluates it."""
    changed = copy.deepcopy(tree)
    found = next(n for n in ast.walk(changed) if isinstance(n, ast.FunctionDef) and n.name == function)
    branch = [node for node in ast.walk(found) if isinstance(node, ast.If)][number]
    branch.test = ast.BoolOp(ast.And(), [branch.test, ast.Constant(False)])
    return ast.unparse(ast.fix_missing_locations(changed))


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 90 else text[:87] + "..."


def fast_tests() -> list[Path]:
    """Tests that draw heaps and start no process."""
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if "cases" not in path.parts]
    texts = {path: path.read_text() for path in tests if not _SLOW.search(path.name)}
    return sorted(
        path for path, text in texts.items() if _DRAWS.search(text) and not _STARTS_PROCESSES.search(text)
    )


def nearest_first(mutant: Mutant, tests: list[Path]) -> list[str]:
    """Tests that name a module of the same room or take drawn heaps through the whole, nearest first."""
    room = ".".join(mutant.module.split(".")[:3])
    texts = {path: path.read_text() for path in tests}
    near = [path for path, text in texts.items() if room in text or _WHOLE.search(text)]
    return [str(path) for path in sorted(near, key=lambda path: (mutant.module not in texts[path], path))]


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


def is_noticed(mutant: Mutant, tests: list[Path], red: list[str]) -> bool:
    """Whether a test fails, or does not come to its end, with one of the mutant's sources."""
    arguments = ["-x", *(f"--deselect={test}" for test in red), *nearest_first(mutant, tests)]
    return any(_fails(_Changed(mutant, source), arguments) for source in mutant.sources)


def red_without_a_change(tests: list[Path]) -> list[str]:
    """Tests that fail anyway, which can notice nothing."""
    with tempfile.NamedTemporaryFile("r") as file:
        _fails(None, list(map(str, tests)), [_Failures(Path(file.name))])
        return file.read().split()


class _Failures:
    """A plugin of pytest that writes down what fails."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            with self._file.open("a") as file:
                print(report.nodeid, file=file)


def _fails(change: _Changed | None, arguments: list[str], plugins: Sequence[object] = ()) -> bool:
    child = os.fork()
    if child == 0:
        _run_tests(change, arguments, plugins)
    _, status = os.waitpid(child, 0)
    return status != 0


def _run_tests(change: _Changed | None, arguments: list[str], plugins: Sequence[object]) -> None:
    """In the child: ends it with the exit code of pytest."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST_SECONDS)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    if change is not None:
        sys.meta_path.insert(0, change)
    # Few and always the same examples: a mutant that is noticed by chance is not noticed.
    settings.register_profile("mutants", max_examples=20, derandomize=True, database=None, deadline=None)
    settings.load_profile("mutants")
    code = 70
    with contextlib.suppress(BaseException):
        os.chdir(ROOT)
        code = int(
            pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", *arguments], plugins)
        )
    os._exit(code)


def main() -> int:
    options = _options()
    wanted = [mutant for mutant in mutants() if not options.only or options.only in mutant.name]
    allowed = tomllib.loads(ALLOWED.read_text()) if ALLOWED.exists() else {}
    if options.list:
        print(*(mutant.name for mutant in wanted), sep="\n")
        return 0
    tests = fast_tests()
    start = time.monotonic()
    red = red_without_a_change(tests)
    for test in red:
        print(f"fails without a change, and is left out: {test}")
    seconds = time.monotonic() - start
    print(f"{len(wanted)} mutants, {len(tests)} files of tests: {seconds:.0f} s", flush=True)
    survivors = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, noticed in zip(
            wanted, pool.map(lambda mutant: is_noticed(mutant, tests, red), wanted), strict=True
        ):
            if not noticed:
                survivors.append(mutant.name)
                print(f"not noticed: {mutant.name}", *_reason(mutant.name, allowed), sep="\n    ", flush=True)
    return _verdict(wanted, survivors, allowed, start)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="mutants whose name has this in it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true", help="name the mutants, run nothing")
    return parser.parse_args()


def _reason(name: str, allowed: dict[str, str]) -> list[str]:
    return [f"allowed: {allowed[name]}"] if name in allowed else []


def _verdict(wanted: list[Mutant], survivors: list[str], allowed: dict[str, str], start: float) -> int:
    bad = [name for name in survivors if name not in allowed]
    names = {mutant.name for mutant in wanted}
    idle = [name for name in allowed if name in names and name not in survivors]
    print(
        f"{len(wanted) - len(survivors)} of {len(wanted)} noticed, {len(survivors) - len(bad)} allowed,"
        f" {len(bad)} not noticed; {time.monotonic() - start:.0f} s"
    )
    for name in idle:
        print(f"noticed by now, take it out of {ALLOWED.name}: {name}")
    return 1 if bad or idle else 0


if __name__ == "__main__":
    sys.exit(main())
