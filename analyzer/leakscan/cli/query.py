"""`leakscan query`: a heap as tables, asked in SQL."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option
from leakscan.errors import UsageError

EXAMPLES = (
    "leakscan query leak/ 'SELECT * FROM retained_by_type LIMIT 10'",
    "leakscan query leak/ --sql question.sql --format csv",
    "leakscan query leak/ --tables",
)
_ROWS = 100


class Format(StrEnum):
    """What `--format` may be."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query(
    snapshot: Annotated[
        Path, argument(metavar="SNAPSHOT | DIR", help="A snapshot, or a capture, which knows leaks and runs.")
    ],
    question: Annotated[
        str | None, argument(metavar="SQL", help="One or more statements; the last one's rows are shown.")
    ] = None,
    sql: Annotated[Path | None, option(metavar="FILE", help="Read the statements from FILE.")] = None,
    tables: Annotated[bool, option("--tables", help="List the tables and views with their columns.")] = False,
    format: Annotated[Format, option(help="How rows are written.")] = Format.TABLE,
    limit: Annotated[
        int | None, option(min=0, metavar="N", help="Most rows, 0 all; a table shows 100 by itself.")
    ] = None,
) -> None:
    """Ask a heap in SQL.

    Objects, references, leaks and more as tables in DuckDB (the extra `query`), in memory: nothing in a
    query can read or write a file.
    """
    if tables:
        from leakscan.answers.query.schema import TABLES, VIEWS
        from leakscan.report.text.query_tables import tables_lines
        from leakscan.report.text.terminal import screen_of, write

        screen = screen_of(sys.stdout)
        told = [
            (kind, name, relation.about, relation.columns)
            for kind, relations in (("table", TABLES), ("view", VIEWS))
            for name, relation in relations.items()
        ]
        write(tables_lines(told, screen), sys.stdout, screen)
        return
    _answer(snapshot, _statements(question, sql), format, limit)


def _statements(question: str | None, sql: Path | None) -> str:
    if (question is None) == (sql is None):
        raise UsageError(
            "give one question: SQL, or --sql FILE",
            hint="leakscan query DIR 'SELECT * FROM leaks'; --tables lists the tables",
        )
    if sql is None:
        return question or ""
    try:
        return sql.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {sql}: {error}") from error


def _answer(snapshot: Path, statements: str, format: Format, limit: int | None) -> None:
    from leakscan.answers.query.ask import query as rows_of
    from leakscan.report.text.query import query_csv, query_json, query_lines
    from leakscan.report.text.terminal import screen_of, write

    most = limit if limit is not None else _ROWS if format is Format.TABLE else 0
    found = rows_of(snapshot, statements, limit=most)
    if format is Format.CSV:
        sys.stdout.write(query_csv(found.columns, found.rows))
    elif format is Format.JSON:
        sys.stdout.write(query_json(found.columns, found.types, found.rows))
    else:
        screen = screen_of(sys.stdout)
        lines = query_lines(found.columns, found.rows, screen, is_cut_off=found.is_cut_off)
        write(lines, sys.stdout, screen)
    if found.is_cut_off and format is not Format.TABLE:
        print(f"warning: only the first {most} rows", file=sys.stderr)
