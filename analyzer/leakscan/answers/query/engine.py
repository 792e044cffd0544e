"""SQL over a heap, by DuckDB: in memory, every way to another file or program shut before it begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

from leakscan import __version__
from leakscan.answers.query.filling import Columns, refs_view
from leakscan.answers.query.schema import RELATIONS, SCHEMA_VERSION, VIEWS
from leakscan.errors import UsageError

_SHUT: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
"""Set before anything of the snapshot is there; then the settings themselves are locked."""
_BY_COLUMN: Final = ("objects", "strings", "dominators")
"""Big tables, read where they lie."""
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of a query. `types` are DuckDB's; `columns` are names."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut_off: bool = False
    """whether there were more rows than asked for"""

    def dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Database:
    """The tables of one heap. A table is filled when a query first names it.

    UsageError: DuckDB is not installed, a query is wrong, or it wants what only a capture knows.
    """

    def __init__(self, tables: Mapping[str, Callable[[], Columns]]) -> None:
        try:
            # By name: an optional package.
            self._duckdb = import_module("duckdb")
        except ImportError as error:
            raise UsageError(
                "queries need DuckDB, which is not installed",
                hint="install the extra `query` (pip install duckdb)",
            ) from error
        self._tables = tables
        self._there: set[str] = set()
        self._connection = self._duckdb.connect(":memory:", config=_SHUT)
        self._connection.execute(
            f"CREATE TABLE leakscan AS SELECT {SCHEMA_VERSION} AS schema_version, '{__version__}' AS version"
        )
        # DuckDB goes on allowing the path of its own database; for one in memory that is a file `:memory:`
        # where the command was started.
        self._connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        self._connection.execute("SET lock_configuration = true")

    def query(self, sql: str, *, limit: int = 0) -> QueryResult:
        """The rows of the last statement of `sql`; at most `limit` of them, 0 for all."""
        result: QueryResult = self._asked(sql, lambda text: _fetched(self._connection.execute(text), limit))
        return result

    def arrow(self, sql: str) -> Any:
        """The rows as a pyarrow.Table. UsageError without pyarrow."""
        try:
            import_module("pyarrow")
        except ImportError as error:
            raise UsageError(
                "Arrow tables need pyarrow, which is not installed", hint="pip install pyarrow"
            ) from error
        return self._asked(sql, lambda text: _arrow(self._connection.sql(text)))

    def _asked(self, sql: str, run: Callable[[str], Any]) -> Any:
        if not sql.strip():
            raise UsageError(
                "there is no query", hint="leakscan query DIR 'SELECT ...'; --tables lists the tables"
            )
        for name in dict.fromkeys(_WORD.findall(sql.lower())):
            self._fill(name)
        try:
            return run(sql)
        except self._duckdb.Error as error:
            raise UsageError(_message(error), hint=_hint(error)) from None

    def _fill(self, name: str) -> None:
        if name in self._there or name not in RELATIONS:
            return
        self._there.add(name)
        if name in VIEWS:
            for other in VIEWS[name].needs:
                self._fill(other)
            if all(other in self._tables for other in VIEWS[name].needs):
                self._connection.execute(f"CREATE VIEW {name} AS {VIEWS[name].sql}")
            return
        if name not in self._tables:
            return
        columns = self._tables[name]()
        if name == "refs":
            self._connection.register("refs_numbers", dict(columns))
            self._connection.execute(f"CREATE VIEW refs AS {refs_view()}")
        elif name == "texts":
            # Where no value is known, nothing tells that they are texts.
            self._connection.register("texts_rows", dict(columns))
            self._connection.execute(
                "CREATE VIEW texts AS SELECT * REPLACE (value::VARCHAR AS value) FROM texts_rows"
            )
        elif name in _BY_COLUMN:
            self._connection.register(name, dict(columns))
        else:
            self._copy(name, columns)

    def _copy(self, name: str, columns: Columns) -> None:
        """A small table, with the types of the schema also when it is empty or all of a column is NULL."""
        typed = ", ".join(f'"{column}" {kind}' for column, kind, _ in RELATIONS[name].columns)
        self._connection.execute(f"CREATE TABLE {name} ({typed})")
        if len(next(iter(columns.values()))):
            self._connection.register(f"{name}_rows", dict(columns))
            self._connection.execute(f"INSERT INTO {name} SELECT * FROM {name}_rows")
            self._connection.unregister(f"{name}_rows")


def _fetched(cursor: Any, limit: int) -> QueryResult:
    if cursor is None or cursor.description is None:
        return QueryResult((), (), ())
    names = tuple(str(column[0]) for column in cursor.description)
    types = tuple(str(column[1]) for column in cursor.description)
    rows = cursor.fetchmany(limit + 1) if limit else cursor.fetchall()
    shown = rows[:limit] if limit else rows
    return QueryResult(names, types, tuple(map(tuple, shown)), len(shown) < len(rows))


def _arrow(relation: Any) -> Any:
    # Newer versions call it so; `arrow` gives a reader there.
    return relation.to_arrow_table() if hasattr(relation, "to_arrow_table") else relation.arrow()


def _message(error: Exception) -> str:
    """DuckDB's first sentence, without its name for the kind of error."""
    first = str(error).strip().split("\n")[0]
    return f"the query failed: {first.partition('Error: ')[2] or first}"


def _hint(error: Exception) -> str:
    rows = [row.strip() for row in str(error).strip().split("\n")[1:] if row.strip()]
    # What follows LINE is the query once more.
    text = f" {' '.join(rows)}".partition(" LINE ")[0].strip()
    missing = re.search(r"Table with name (\w+) does not exist", str(error))
    if missing and missing.group(1).lower() in RELATIONS:
        return f"`{missing.group(1)}` needs a capture: point at its directory, not at one snapshot"
    if missing:
        # DuckDB knows only the tables that are filled already.
        near = get_close_matches(missing.group(1).lower(), RELATIONS, n=1)
        text = f"did you mean `{near[0]}`?" if near else ""
    return text[:300] or "`leakscan query DIR --tables` lists tables and columns"
