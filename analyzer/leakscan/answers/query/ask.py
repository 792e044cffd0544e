"""Questions to a capture or a snapshot in SQL."""

from __future__ import annotations

from pathlib import Path

from leakscan.answers.analyse import analysed_one
from leakscan.answers.looking import graph_to_look_at
from leakscan.answers.query.engine import Database, QueryResult
from leakscan.answers.query.filling import answer_tables, heap_tables
from leakscan.heap.graph import HeapGraph


def database(source: str | Path) -> Database:
    """The tables of a snapshot; of a capture those of its last one, and what `diff` finds in it."""
    path = Path(source)
    graph = graph_to_look_at(path)
    answers = answer_tables(lambda: analysed_one([path])) if path.is_dir() else {}
    return Database({**heap_tables(graph), **answers})


def query(source: str | Path, sql: str, *, limit: int = 0) -> QueryResult:
    """The rows that `sql` asks of a capture or a snapshot. UsageError: the query is wrong."""
    return database(source).query(sql, limit=limit)


def of_graph(graph: HeapGraph) -> Database:
    """The tables of a heap that was loaded before; none of what only a capture knows."""
    return Database(heap_tables(graph))
