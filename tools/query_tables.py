"""Writes docs/reference/query-tables.md from the schema of the tables. Usage: query_tables.py [--check]"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from leakscan.answers.query.schema import SCHEMA_VERSION, TABLES, VIEWS, Relation

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "query-tables.md"
HEAD = f"""# Tables of `leakscan query`

Made from the schema by `python tools/query_tables.py`; do not edit.

This is version {SCHEMA_VERSION} of the schema (`SELECT schema_version FROM leakscan`). It changes when a
query would fail or mean something else; new columns and views do not change it. A table is filled when a
query names it. Sizes are bytes.
"""


def text() -> str:
    return "".join([HEAD, *_section("Tables", TABLES), *_section("Views", VIEWS)])


def _section(title: str, relations: Mapping[str, Relation]) -> list[str]:
    rows = [f"\n## {title}\n"]
    for name, relation in relations.items():
        only = " Needs a capture." if relation.of_capture else ""
        rows.append(
            f"\n### `{name}`\n\n{relation.about}{only}\n\n| column | type | meaning |\n|---|---|---|\n"
        )
        rows += [f"| `{column}` | {kind} | {meaning} |\n" for column, kind, meaning in relation.columns]
        if relation.sql:
            sql = "\n".join(row.strip() for row in relation.sql.splitlines())
            rows.append(f"\n```sql\n{sql}\n```\n")
    return rows


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        return 0 if PAGE.read_text(encoding="utf-8") == text() else 1
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
