"""What `mutants.py` changes: rows of tables, branches and constants of the declared places, one at a time."""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "analyzer" / "leakscan"

TABLES = ("analysis/judge/*.py",)
"""Each row of a table of these modules is taken out: a tuple, list, set or dict with a name in capitals."""
BRANCHES = ("analysis/judge/*.py",)
"""Each `if` of these modules is never true: a rule that is gone."""
CONSTANTS = ("analysis/*.py", "analysis/*/*.py")
"""Each number with a name in capitals is halved and doubled; each pattern matches nothing."""

_NAME = re.compile(r"_*[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `name` tells what was changed, and stays the same when lines move."""

    path: Path
    name: str
    sources: tuple[str, ...]
    """alternatives: noticed when the tests fail with one of them"""
    constant: str = ""
    """the name in capitals that was changed, "" for a branch"""
    lines: tuple[int, int] = (0, 0)
    """first and last line of what a branch does first: only a test that comes here can notice"""

    @property
    def module(self) -> str:
        return ".".join(("leakscan", *self.path.relative_to(PACKAGE).with_suffix("").parts))


def mutants() -> Iterator[Mutant]:
    """Every change of every declared place, by module; of several of one name the later ones are numbered."""
    seen: Counter[str] = Counter()
    for mutant in _mutants():
        seen[mutant.name] += 1
        number = seen[mutant.name]
        yield mutant if number == 1 else replace(mutant, name=f"{mutant.name} ({number})")


def _mutants() -> Iterator[Mutant]:
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
            yield Mutant(path, f"{place} {name} doubled", (ast.unparse(changed),), name)
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
            yield Mutant(path, f"{place} {name} without {_short(text)}", (ast.unparse(changed),), name)


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
        yield Mutant(path, f"{place} {name} = {_short(ast.unparse(value))}", tuple(sources), name)


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
            first = branch.body[0]
            yield Mutant(path, text, (source,), lines=(first.lineno, first.end_lineno or first.lineno))


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
