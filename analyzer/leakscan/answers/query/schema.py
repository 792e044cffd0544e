"""The tables and views of a heap: their columns, and what they mean.

docs/reference/query-tables.md is made of it (tools/query_tables.py). `SCHEMA_VERSION` counts changes after
which a query would fail or mean something else; new columns do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, or a view with its SQL. `columns` are (name, type, meaning); `needs` what the SQL reads."""

    about: str
    columns: tuple[tuple[str, str, str], ...]
    sql: str = ""
    needs: tuple[str, ...] = ()
    of_capture: bool = False
    """whether it needs a capture: one snapshot does not know what is new"""


_OBJECT: Final = ("object", "UINTEGER", "number of the object; `leakscan inspect DIR '#17'` shows it")
_TYPE_NAME: Final = ("type_name", "VARCHAR", "full dotted name; builtins without module")

TABLES: Final[Mapping[str, Relation]] = {
    "objects": Relation(
        "Every object, one row each.",
        (
            _OBJECT,
            ("type", "UINTEGER", "its type, a row of `types`"),
            ("size", "UBIGINT", "its own bytes"),
            ("refcount", "UINTEGER", "its reference count; NULL when immortal, and in V8"),
            ("birth", "USMALLINT", "run it was born in, 0 before the baseline; NULL when not known"),
            ("is_new", "BOOLEAN", "whether it was born after the baseline; NULL when not known"),
            ("has_finalizer", "BOOLEAN", "whether it has a finalizer of its own"),
            ("is_own", "BOOLEAN", "whether it belongs to leakscan itself"),
            ("site", "UINTEGER", "where it was allocated, a row of `sites`; NULL without --sites"),
        ),
    ),
    "refs": Relation(
        "Every reference, one row each.",
        (
            ("source", "UINTEGER", "the object that holds"),
            ("target", "UINTEGER", "the object that is held"),
            ("kind", "VARCHAR", "attribute, key_str, index ...: docs/format.md, in lower case"),
            ("label", "UINTEGER", "a row of `strings`; for kinds index and stack the number itself"),
            ("is_weak", "BOOLEAN", "whether it keeps nothing alive"),
        ),
    ),
    "roots": Relation(
        "Where reachability starts.",
        (
            ("kind", "VARCHAR", "module, thread, interpreter, static_type"),
            ("label", "VARCHAR", "name of the module, of the thread ..."),
            ("target", "UINTEGER", "the object that is held"),
        ),
    ),
    "types": Relation(
        "Every type.",
        (
            ("type", "UINTEGER", "its number"),
            ("name", "VARCHAR", "full dotted name; builtins without module"),
            ("module", "VARCHAR", "its module; `builtins` for builtin types, empty in V8"),
            ("object", "UINTEGER", "the object that is this type; NULL when there is none"),
        ),
    ),
    "strings": Relation(
        "Names of the snapshot: attributes, keys (truncated), files. What texts say is not among them, "
        "unless `--values` was recorded.",
        (("string", "UINTEGER", "its number"), ("text", "VARCHAR", "the name")),
    ),
    "texts": Relation(
        "Strings and byte strings that occur often: equal hash, length and type, equal text.",
        (
            _OBJECT,
            ("length", "UINTEGER", "characters, or bytes of a byte string"),
            ("hash", "UBIGINT", "of this process only: another capture has others"),
            ("value", "VARCHAR", "what it says, secrets masked, cut at 120; NULL without `capture --values`"),
        ),
    ),
    "names": Relation(
        "Objects that have a name of their own: modules, functions, classes.",
        (_OBJECT, ("name", "VARCHAR", "its name")),
    ),
    "locations": Relation(
        "Objects whose place in the source is known: frames, code, modules.",
        (_OBJECT, ("file", "VARCHAR", "source file"), ("line", "UINTEGER", "line; 0 when not known")),
    ),
    "sites": Relation(
        "Lines that allocated objects (`capture --sites`).",
        (
            ("site", "UINTEGER", "its number"),
            ("file", "VARCHAR", "source file"),
            ("line", "UINTEGER", "line"),
            ("function", "VARCHAR", "function"),
        ),
    ),
    "dominators": Relation(
        "What would go with each live object.",
        (
            _OBJECT,
            ("dominator", "UINTEGER", "the nearest object that alone keeps it alive; NULL below the roots"),
            ("retained", "UBIGINT", "bytes that would be freed with it"),
            ("retained_objects", "UBIGINT", "objects that would be freed with it, itself included"),
        ),
    ),
    "leaks": Relation(
        "What `leakscan diff` finds: leaks, other groups of survivors, and what libraries keep.",
        (
            ("leak", "UINTEGER", "its number, worst first"),
            ("signature", "VARCHAR", "its name on every machine"),
            ("role", "VARCHAR", "leak, other or noise"),
            ("verdict", "VARCHAR", "leak, warm-up, bounded ..."),
            _TYPE_NAME,
            ("name", "VARCHAR", "what builtin objects are called by what owns them"),
            ("objects", "UBIGINT", "survivors in it"),
            ("retained", "UBIGINT", "bytes that only they keep"),
            ("per_run", "DOUBLE", "survivors per run"),
            ("first_run", "UINTEGER", "first run with a birth; 0 when not known"),
            ("last_run", "UINTEGER", "last run with a birth"),
            ("holder", "VARCHAR", "the slot that grows"),
            ("file", "VARCHAR", "where that slot is made"),
            ("line", "UINTEGER", "its line"),
            ("evidence", "VARCHAR", "what the verdict rests on"),
        ),
        of_capture=True,
    ),
    "paths": Relation(
        "The paths of those leaks, a row for each step.",
        (
            ("leak", "UINTEGER", "a row of `leaks`"),
            ("path", "UINTEGER", "0 is the main one"),
            ("step", "UINTEGER", "from the root, 0 first"),
            ("root", "VARCHAR", "the root of the path"),
            ("reference", "VARCHAR", "as a developer would write it"),
            _TYPE_NAME,
            ("is_holder", "BOOLEAN", "whether it is the last old object"),
            ("is_survivor", "BOOLEAN", "whether it is what leaks"),
            ("is_new", "BOOLEAN", "whether it was born during the runs"),
            ("file", "VARCHAR", "source file"),
            ("line", "UINTEGER", "line"),
        ),
        of_capture=True,
    ),
    "cuts": Relation(
        "The smallest set of references to cut: for each leak, and (leak NULL) for all of them together.",
        (
            ("leak", "UINTEGER", "a row of `leaks`, NULL for the set that frees all"),
            ("pattern", "VARCHAR", "what `leakscan whatif --cut` takes"),
            ("refs", "UBIGINT", "references that it names"),
            ("frees_alone", "UBIGINT", "survivors that it frees alone"),
            ("file", "VARCHAR", "where the slot is made"),
            ("line", "UINTEGER", "its line"),
        ),
        of_capture=True,
    ),
    "growth": Relation(
        "Types that grew between the two snapshots.",
        (
            _TYPE_NAME,
            ("before", "UBIGINT", "objects before"),
            ("after", "UBIGINT", "objects after"),
            ("bytes_before", "UBIGINT", "their bytes before"),
            ("bytes_after", "UBIGINT", "their bytes after"),
            ("per_run", "DOUBLE", "objects per run"),
            ("verdict", "VARCHAR", "leak, warm-up, bounded ..."),
        ),
        of_capture=True,
    ),
    "runs": Relation(
        "What was counted after each run.",
        (
            ("run", "UINTEGER", "0 is the baseline"),
            ("objects", "UBIGINT", "objects alive"),
            ("bytes", "UBIGINT", "their bytes"),
            ("rss", "UBIGINT", "resident memory of the process"),
        ),
        of_capture=True,
    ),
}

VIEWS: Final[Mapping[str, Relation]] = {
    "named_refs": Relation(
        "References with names in place of numbers.",
        (
            ("source", "UINTEGER", "the object that holds"),
            ("source_type", "VARCHAR", "its type"),
            ("kind", "VARCHAR", "kind of the reference"),
            ("name", "VARCHAR", "attribute, key, index, local ..."),
            ("target", "UINTEGER", "the object that is held"),
            ("target_type", "VARCHAR", "its type"),
            ("is_weak", "BOOLEAN", "whether it keeps nothing alive"),
        ),
        """SELECT r.source, st.name AS source_type, r.kind,
            CASE WHEN r.kind IN ('index', 'stack') THEN r.label::VARCHAR ELSE s.text END AS name,
            r.target, tt.name AS target_type, r.is_weak
        FROM refs r JOIN objects so ON so.object = r.source JOIN types st ON st.type = so.type
            JOIN objects t ON t.object = r.target JOIN types tt ON tt.type = t.type
            LEFT JOIN strings s ON s.string = r.label""",
        ("refs", "objects", "types", "strings"),
    ),
    "retained_by_type": Relation(
        "Types by what goes with their objects; objects inside others of the type are not counted twice.",
        (
            _TYPE_NAME,
            ("objects", "BIGINT", "how many there are"),
            ("size", "HUGEINT", "their own bytes"),
            ("retained", "HUGEINT", "bytes that go with them, one by one"),
        ),
        """SELECT t.name AS type_name, count(*) AS objects, sum(o.size) AS size,
            sum(CASE WHEN up.type IS DISTINCT FROM o.type THEN d.retained ELSE 0 END) AS retained
        FROM objects o JOIN types t ON t.type = o.type JOIN dominators d ON d.object = o.object
            LEFT JOIN objects up ON up.object = d.dominator
        WHERE NOT o.is_own GROUP BY 1 ORDER BY retained DESC, 1""",
        ("objects", "types", "dominators"),
    ),
    "holders_of_type": Relation(
        "Which types hold the objects of a type, and by what: filter by `type_name`.",
        (
            _TYPE_NAME,
            ("holder_type", "VARCHAR", "type of what holds"),
            ("kind", "VARCHAR", "kind of the reference"),
            ("refs", "BIGINT", "references"),
            ("objects", "BIGINT", "different objects that are held so"),
        ),
        """SELECT tt.name AS type_name, st.name AS holder_type, r.kind, count(*) AS refs,
            count(DISTINCT r.target) AS objects
        FROM refs r JOIN objects t ON t.object = r.target JOIN types tt ON tt.type = t.type
            JOIN objects s ON s.object = r.source JOIN types st ON st.type = s.type
        WHERE NOT r.is_weak AND r.kind NOT IN ('type', 'machinery') AND NOT s.is_own
        GROUP BY ALL ORDER BY refs DESC, 1, 2, 3""",
        ("refs", "objects", "types"),
    ),
    "biggest_containers": Relation(
        "Dicts, lists, sets and whatever else has entries, fullest first.",
        (
            _OBJECT,
            _TYPE_NAME,
            ("entries", "BIGINT", "values, items or members"),
            ("size", "UBIGINT", "its own bytes"),
            ("retained", "UBIGINT", "bytes that would be freed with it"),
        ),
        """SELECT o.object, t.name AS type_name, e.entries, o.size, d.retained
        FROM (SELECT source, count(*) AS entries FROM refs
            WHERE kind IN ('key_str', 'key_int', 'key_other', 'index', 'member', 'element') GROUP BY 1) e
            JOIN objects o ON o.object = e.source JOIN types t ON t.type = o.type
            LEFT JOIN dominators d ON d.object = o.object
        WHERE NOT o.is_own ORDER BY e.entries DESC, o.object""",
        ("refs", "objects", "types", "dominators"),
    ),
    "dicts_by_shape": Relation(
        "Dicts by their text keys: a thousand dicts with the same keys are records of one kind.",
        (
            ("shape", "VARCHAR", "the first twelve keys, in order"),
            ("keys", "BIGINT", "how many keys"),
            ("dicts", "BIGINT", "how many dicts"),
            ("size", "HUGEINT", "their own bytes"),
        ),
        """SELECT array_to_string(list_sort(names)[:12], ', ') AS shape, len(names) AS keys,
            count(*) AS dicts, sum(size) AS size
        FROM (SELECT r.source, any_value(o.size) AS size, list(s.text) AS names
            FROM refs r JOIN objects o ON o.object = r.source JOIN types t ON t.type = o.type
                JOIN strings s ON s.string = r.label
            WHERE r.kind = 'key_str' AND t.name IN ('dict', 'Object') AND NOT o.is_own GROUP BY 1)
        WHERE len(names) <= 200
        GROUP BY ALL ORDER BY dicts DESC, 1, 2""",
        ("refs", "objects", "types", "strings"),
    ),
    "frequent_strings": Relation(
        "Strings and byte strings that occur often: by hash and length, and by size where no hash is known.",
        (
            _TYPE_NAME,
            ("size", "UBIGINT", "bytes of one"),
            ("objects", "BIGINT", "how many there are"),
            ("bytes", "HUGEINT", "what they weigh together"),
            ("length", "UINTEGER", "characters, or bytes of a byte string"),
            ("hash", "UBIGINT", "of the text; NULL where none was recorded"),
            ("value", "VARCHAR", "what it says; NULL without `capture --values`"),
        ),
        """SELECT t.name AS type_name, o.size, count(*) AS objects, sum(o.size) AS bytes, x.length, x.hash,
            x.value
        FROM objects o JOIN types t ON t.type = o.type LEFT JOIN texts x ON x.object = o.object
        WHERE NOT o.is_own AND CASE WHEN EXISTS (SELECT 1 FROM texts) THEN x.object IS NOT NULL
            ELSE t.name IN ('str', 'bytes', 'bytearray', '(string)') END
        GROUP BY ALL HAVING count(*) > 1 ORDER BY bytes DESC, 1, 2, 6""",
        ("objects", "types", "texts"),
    ),
    "growth_by_module": Relation(
        "Growth by the module of the types.",
        (
            ("module", "VARCHAR", "the module; `builtins` for builtin types"),
            ("types", "BIGINT", "types that grew"),
            ("objects", "HUGEINT", "objects more than before"),
            ("bytes", "HUGEINT", "bytes more than before"),
        ),
        """SELECT CASE WHEN contains(type_name, '.') THEN regexp_replace(type_name, '\\.[^.]*$', '')
                ELSE 'builtins' END AS module, count(*) AS types,
            sum("after"::HUGEINT - "before"::HUGEINT) AS objects,
            sum(bytes_after::HUGEINT - bytes_before::HUGEINT) AS bytes
        FROM growth GROUP BY 1 ORDER BY bytes DESC, 1""",
        ("growth",),
        of_capture=True,
    ),
}
RELATIONS: Final[Mapping[str, Relation]] = {**TABLES, **VIEWS}
