"""A heap as tables: what each says, what only a capture knows, and what no query can do."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import leakscan
from cli_runs import CommandLine, command
from drawn_captures import draw_capture
from heaps import heap
from leakscan.answers.query.ask import database, of_graph
from leakscan.answers.query.engine import Database
from leakscan.answers.query.filling import heap_tables, kind_names
from leakscan.answers.query.schema import RELATIONS, SCHEMA_VERSION, TABLES
from leakscan.errors import UsageError
from leakscan.heap.kinds import Kind
from v8_files import Drawing, written

pytest.importorskip("duckdb", reason="needs DuckDB (the extra `query`)")
__all__ = ["command"]

APP = """
module app -> m; m -[.__dict__]-> ns; m: module name=app; ns: dict
ns -['flow']-> flow; flow: app.Workflow birth=0 size=10
flow -[._runs]-> runs; runs: dict size=30 birth=0
runs -['run-1']-> one; one: app.Run birth=1 size=100
runs -['run-2']-> two; two: app.Run birth=2 size=200 refcount=immortal
one -[~]-> two; two -[7]-> text; text: str size=50
"""


@pytest.fixture
def app() -> Database:
    return of_graph(heap(APP))


@pytest.fixture
def leak(tmp_path: Path) -> Path:
    return draw_capture(tmp_path / "leak")


@pytest.mark.parametrize("name", RELATIONS)
def test_every_table_and_view_has_the_columns_of_the_schema(leak: Path, name: str):
    columns = database(leak).query(f"DESCRIBE {name}").rows
    assert [(column, kind) for column, kind, *_ in columns] == [
        (column, kind) for column, kind, _ in RELATIONS[name].columns
    ]


@pytest.mark.parametrize("name", RELATIONS)
def test_every_table_and_view_can_be_read(leak: Path, name: str):
    assert database(leak).query(f"SELECT * FROM {name}", limit=1).columns


@pytest.mark.parametrize("name", [name for name, each in TABLES.items() if not each.of_capture])
def test_an_empty_heap_has_empty_tables_of_the_same_types(name: str):
    columns = of_graph(heap("module app -> m; m: module name=app")).query(f"DESCRIBE {name}").rows
    assert [kind for _, kind, *_ in columns] == [kind for _, kind, _ in TABLES[name].columns]


def test_the_version_of_the_schema_can_be_asked(app: Database):
    assert app.query("SELECT schema_version FROM leakscan").rows == ((SCHEMA_VERSION,),)


def test_births_that_are_not_known_are_null():
    graph = heap("module app -> m; m: module name=app; m -[.x]-> x; x: app.X")
    assert of_graph(graph).query("SELECT DISTINCT birth, is_new FROM objects").rows == ((None, None),)


def test_objects_have_size_birth_and_count(app: Database):
    graph = heap(APP)
    rows = app.query(f"SELECT size, birth, is_new, refcount FROM objects WHERE object = {graph['two']}").rows
    assert rows == ((200, 2, True, None),)


def test_references_are_named_and_weak_ones_told(app: Database):
    rows = app.query(
        "SELECT kind, name, target_type, is_weak FROM named_refs WHERE source_type = 'app.Run' ORDER BY kind"
    ).rows
    assert rows == (("index", "7", "str", False), ("weak", "", "app.Run", True))


def test_kinds_have_the_names_of_the_format():
    assert kind_names()[Kind.KEY_STR] == "key_str"
    assert len(kind_names()) == max(Kind) + 1


def test_dominators_are_those_of_the_whole_heap(app: Database):
    graph = heap(APP)
    rows = app.query(f"SELECT dominator, retained FROM dominators WHERE object = {graph['one']}").rows
    assert rows == ((graph["runs"], 100),)


def test_objects_inside_others_of_their_type_are_not_counted_twice():
    graph = heap(
        "module app -> m; m: module name=app; m -[.a]-> a; a -[.next]-> b"
        "\na: app.Node size=10; b: app.Node size=10"
    )
    rows = of_graph(graph).query("SELECT retained FROM retained_by_type WHERE type_name = 'app.Node'").rows
    assert rows == ((20,),)


def test_containers_are_ranked_by_entries(app: Database):
    rows = app.query("SELECT type_name, entries FROM biggest_containers LIMIT 1").rows
    assert rows == (("dict", 2),)


def test_dicts_of_one_shape_are_counted_together():
    rows = "; ".join(
        f"list -[{n}]-> d{n}; d{n}: dict size=9; d{n} -['id']-> x; d{n} -['at']-> x" for n in range(5)
    )
    graph = heap(f"module app -> m; m: module name=app; m -[.l]-> list; list: list; x: app.X; {rows}")
    assert of_graph(graph).query("SELECT * FROM dicts_by_shape").rows == (("at, id", 2, 5, 45),)


def test_a_capture_knows_leaks_cuts_paths_growth_and_runs(leak: Path):
    tables = database(leak)
    leaks = tables.query("SELECT type_name, objects, holder FROM leaks WHERE role = 'leak'").rows
    assert leaks == (("app.Output", 20, "Workflow._runs"),)
    assert tables.query("SELECT pattern FROM cuts WHERE leak IS NULL").rows == (("Workflow._runs[*]",),)
    assert tables.query("SELECT reference FROM paths WHERE is_survivor").rows == (("['run-*']",),)
    assert tables.query("SELECT after - before FROM growth WHERE type_name = 'app.Output'").rows == ((20,),)


def test_one_snapshot_does_not_know_what_leaks(leak: Path):
    with pytest.raises(UsageError) as raised:
        leakscan.query(leak / "after.heap", "SELECT * FROM leaks")
    assert "needs a capture" in raised.value.hint


def test_a_loaded_heap_answers_too(leak: Path):
    assert leakscan.load(leak / "after.heap").sql("SELECT count(*) FROM roots").rows == ((1,),)


def test_rows_come_as_an_arrow_table_too(app: Database):
    pytest.importorskip("pyarrow", reason="needs pyarrow (the extra `parquet`)")
    assert app.arrow("SELECT 7 AS n").to_pylist() == [{"n": 7}]


@pytest.mark.parametrize(
    "sql",
    ["", "   ", "SELEC 1", "SELECT * FROM nothing", "SELECT nope FROM objects", "SELECT 1/'a'", "\x00"],
)
def test_a_wrong_query_is_a_plain_error(app: Database, sql: str):
    with pytest.raises(UsageError) as raised:
        app.query(sql)
    assert "\n" not in raised.value.message and raised.value.hint


def test_a_table_that_is_not_there_is_answered_with_the_nearest_one(app: Database):
    with pytest.raises(UsageError) as raised:
        app.query("SELECT * FROM objekts")
    assert raised.value.hint == "did you mean `objects`?"


def test_a_hint_does_not_repeat_the_query(app: Database):
    with pytest.raises(UsageError) as raised:
        app.query("SELECT CAST('x' AS INTEGER)")
    assert "LINE" not in raised.value.hint and raised.value.hint


def test_a_comment_alone_has_no_rows(app: Database):
    assert app.query("-- nothing").rows == ()


ATTEMPTS = (
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM sniff_csv('{file}')",
    "COPY objects TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{folder}/out.parquet'",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/out.db'",
    "INSTALL httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "SET enable_external_access = true",
    "RESET enable_external_access",
    "SET temp_directory = '{folder}'",
    "SET lock_configuration = false",
    "PRAGMA enable_profiling = 'json'",
    "SET profiling_output = '{folder}/out.json'",
    "SET log_query_path = '{folder}/out.log'",
    "CALL enable_logging(storage = 'file', storage_config = {{'path': '{folder}/out'}})",
    "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'x')",
    "SELECT getenv('HOME')",
    "COPY (SELECT 1) TO ':memory:'",
    "COPY (SELECT 1) TO '{folder}/:memory:.wal' (FORMAT csv)",
    "SELECT * FROM read_text(':memory:')",
    "ATTACH '{folder}/:memory:' AS other",
    "SET disabled_filesystems = ''",
    "RESET disabled_filesystems",
    "CREATE MACRO said(f) AS TABLE SELECT * FROM read_text(f); SELECT * FROM said('{file}')",
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_query_reads_or_writes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempt: str):
    # DuckDB allows files that are called like its database in the directory where it began.
    monkeypatch.chdir(tmp_path)
    app = of_graph(heap("root -> a"))
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    for prefix in ("", "SELECT 1; "):
        with pytest.raises(UsageError):
            app.query(prefix + attempt.format(file=secret, folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_variables_of_the_program_that_asks_are_no_tables(app: Database):
    with pytest.raises(UsageError):
        app.query("SELECT * FROM ATTEMPTS")


HOSTILE = [
    "=cmd|' /C calc'!A0",
    "\x1b[31m\u202e",
    "a'; DROP TABLE objects; --",
    "<script>",
    "@x\ny",
    "\ud800",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_inert_in_every_format(command: CommandLine, tmp_path: Path, name: str):
    after = "module app -> m; m: module name=app; m -[.x]-> x; x: app.X"
    folder = draw_capture(tmp_path / "leak", after=after)
    literal = "'" + name.encode("utf-8", "replace").decode().replace("'", "''") + "'"
    for form in ("table", "csv", "json"):
        code, out, _ = command("query", str(folder), f"SELECT {literal} AS name, -1 AS n", "--format", form)
        assert code == 0
        assert [sign for sign in out if not (sign.isprintable() or sign == "\n")] == []
        if form == "csv":
            row = list(csv.reader(io.StringIO(out)))[1]
            assert row[0][0] not in "=+-@" and row[1] == "-1"
        if form == "json":
            assert json.loads(out)["rows"][0][1] == -1


def test_a_table_on_the_screen_stops_at_a_hundred_rows_and_says_so(command: CommandLine, leak: Path):
    out = command("query", str(leak), "SELECT * FROM range(500)")[1]
    assert "more than these 100 rows: --limit 0 shows all" in out
    out = command("query", str(leak), "SELECT * FROM range(500)", "--format", "csv")[1]
    assert len(out.splitlines()) == 501


def test_a_table_fits_the_screen(command: CommandLine, leak: Path):
    out = command("query", str(leak), "SELECT repeat('x', 300) AS a, repeat('y', 200) AS b, 7 AS c")[1]
    assert max(map(len, out.splitlines())) <= 80


def test_a_question_can_stand_in_a_file(command: CommandLine, leak: Path, tmp_path: Path):
    (tmp_path / "q.sql").write_text("-- how many?\nSELECT count(*) AS n FROM leaks;")
    assert command("query", str(leak), "--sql", str(tmp_path / "q.sql"))[1].split() == ["n", "1"]


def test_tables_are_listed_without_reading_the_snapshot(command: CommandLine, tmp_path: Path):
    code, out, err = command("query", str(tmp_path / "nothing"), "--tables")
    assert (code, err, all(name in out for name in RELATIONS)) == (0, "", True)


@pytest.mark.parametrize("arguments", [(), ("SELECT 1", "--sql", "x.sql"), ("--sql", "missing.sql")])
def test_a_question_that_cannot_be_read_is_an_error(
    command: CommandLine, leak: Path, arguments: tuple[str, ...]
):
    code, out, err = command("query", str(leak), *arguments)
    assert (code, out, "error: " in err) == (2, "", True)


def test_without_duckdb_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError) as raised:
        Database(heap_tables(heap(APP)))
    assert "`query`" in raised.value.hint


def test_what_texts_of_a_v8_heap_say_is_in_no_table(tmp_path: Path):
    drawing = Drawing()
    drawing.node("global", "object", "global")
    drawing.node("flow", "object", "Workflow")
    drawing.node("text", "string", "said in private")
    drawing.edge("root", "shortcut", "global", "global")
    drawing.edge("global", "property", "flow", "flow")
    drawing.edge("flow", "property", "name", "text")
    file = tmp_path / "x.heapsnapshot"
    file.write_bytes(written(drawing.content()))
    heap_of_v8 = leakscan.load(file)
    texts = [text for (text,) in heap_of_v8.sql("SELECT text FROM strings").rows]
    assert "name" in texts and "Workflow" in texts
    assert not [text for text in texts if "private" in text]
    assert heap_of_v8.sql("SELECT value FROM texts").rows == ((None,),)
