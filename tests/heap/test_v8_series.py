"""Bare V8 snapshots in the order they were taken: births by the snapshots between, and what two can say."""

import io
import subprocess
import sys

import pytest

from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.series import series
from leakscan.errors import UsageError
from leakscan.heap.reader import load
from leakscan.heap.v8_births import last_id, with_births
from v8_files import Drawing, written


def drawn(kept, *, cached=(), also_cached=0, renumbered=0):
    """A Map with a Run for each number in `kept`, and a cache; nodes are numbered as V8 does, by time.

    The last `also_cached` of the Runs are in the cache, too.
    """
    d = Drawing()
    d.node("gc", "synthetic", "(GC roots)", size=0)
    d.node("global", "object", "global")
    d.node("map", "object", "Map", size=32)
    d.node("table", "array", "", size=40 + 56 * 16)
    d.node("cache", "object", "Map", size=32)
    d.node("entries", "array", "", size=40 + 56 * 4)
    d.edge("root", "element", 1, "gc")
    d.edge("root", "shortcut", "2", "global")
    d.edge("global", "property", "runs", "map")
    d.edge("global", "property", "cache", "cache")
    d.edge("map", "internal", "table", "table")
    d.edge("cache", "internal", "table", "entries")
    for store, numbers, what in (("table", kept, "Run"), ("entries", cached, "Entry")):
        first = {"table": 3 + 16, "entries": 3 + 4}[store]
        for at, number in enumerate(numbers):
            for part, name in ((0, "key"), (1, what)):
                key = f"{what} {number} {part}"
                d.node(key, "object" if part else "string", name if part else f"{what}-{number}", size=24)
                d.nodes[-1].id = 1001 + 100 * number + 2 * part + (50 if what == "Entry" else 0)
                d.edge(store, "internal", str(first + 3 * at + part), key)
    for at, number in enumerate(list(kept)[-also_cached:] if also_cached else ()):
        for part in (0, 1):
            d.edge("entries", "internal", str(7 + 3 * at + part), f"Run {number} {part}")
    for node in d.nodes:
        node.id += renumbered
    return d


def program(kept, **changes):
    return load(io.BytesIO(written(drawn(kept, **changes).content())))


def same_engine(name, *, count):
    """A program of that name, whose first nodes are those of any other of the same Node."""
    d = Drawing()
    d.node("gc", "synthetic", "(GC roots)", size=0)
    d.node("global", "object", "global")
    d.edge("root", "element", 1, "gc")
    d.edge("root", "shortcut", "2", "global")
    for number in range(400):
        d.node(f"engine {number}", "closure", f"builtin {number}")
        d.edge("gc", "element", number + 2, f"engine {number}")
    d.node("shared", "code", "(shared function info)")
    d.node("script", "code", f"file:///app/{name}.mjs")
    d.node("main", "closure", "main", place=(7, 1))
    d.edge("global", "property", "main", "main")
    d.edge("main", "internal", "shared", "shared")
    d.edge("shared", "internal", "script_or_debug_info", "script")
    for number in range(count):
        d.node(f"thing {number}", "object", name)
        d.edge("global", "property", f"thing_{number}", f"thing {number}")
    return load(io.BytesIO(written(d.content())))


def test_two_programs_that_begin_with_the_same_engine_are_told_apart_by_their_scripts():
    with pytest.raises(UsageError, match=r"two different programs: /app/one\.mjs and /app/two\.mjs"):
        series([same_engine("one", count=60), same_engine("two", count=90)])
    again = series([same_engine("one", count=60), same_engine("one", count=90)])
    assert "30 one survive" in again.headline


def test_an_object_is_born_in_the_interval_before_the_first_snapshot_that_could_have_it():
    graphs = [program(range(count)) for count in (1, 3, 4)]
    dated = with_births(graphs[-1], [last_id(graph) for graph in graphs])
    born = [int(dated.births[obj]) for obj in range(dated.object_count) if dated.type_name(obj) == "Run"]
    assert born == [0, 1, 1, 2]


def test_a_series_tells_a_leak_from_what_only_filled_once():
    grows = series(program(range(count)) for count in range(2, 9))
    warms = series(program(range(min(count, 3))) for count in range(1, 9))
    assert (grows.verdict, warms.verdict) == (Verdict.LEAK, Verdict.WARM_UP)
    assert grows.leaks[0].evidence == "1 per interval, every interval"
    leak = grows.leaks[0]
    assert (leak.count, leak.type_name, leak.rate, grows.runs, grows.unit) == (6, "Run", 1, 6, "interval")


def test_a_series_that_says_how_often_the_scenario_ran_needs_three_snapshots_only():
    found = series((program(range(count)) for count in (2, 14, 26)), runs_each=12)
    assert (found.verdict, found.leaks[0].evidence) == (Verdict.LEAK, "exactly 1 each time, 24 times")


@pytest.mark.parametrize("count", [14, 13], ids=["an exact multiple", "no multiple"])
def test_two_snapshots_stay_inconclusive_even_with_an_exact_multiple(count):
    found = series((program(range(2)), program(range(count))), runs_each=12)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_full_cache_whose_entries_were_replaced_is_bounded_by_two_snapshots_alone():
    found = series((program(range(1), cached=range(4)), program(range(1), cached=range(10, 14))))
    assert (found.verdict, found.leaks[0].evidence) == (
        Verdict.BOUNDED,
        "new ones take the place of old ones: the holder had 4 entries before, 4 after",
    )


def test_snapshots_that_number_anew_give_counts_only_and_say_so():
    found = series((program(range(2)), program(range(5), renumbered=100_000)))
    assert (found.verdict, found.leaks) == (Verdict.INCONCLUSIVE, ())
    assert "numbers anew" in found.headline
    assert next(row for row in found.growth if row.type_name == "Run").delta == 3


def test_snapshots_in_the_wrong_order_are_refused():
    with pytest.raises(UsageError, match="not in the order"):
        series((program(range(5)), program(range(2))))


def test_engine_internals_are_one_row_of_the_table():
    rows = series(program(range(count)) for count in (1, 3)).growth
    assert not [row.type_name for row in rows if row.type_name.startswith(("(array", "system"))]


def test_a_directory_of_snapshots_is_a_series_in_the_order_of_their_names(tmp_path):
    for count in (5, 6, 7, 8, 9, 10, 11):
        (tmp_path / f"after-{count}.heapsnapshot").write_bytes(written(drawn(range(count)).content()))
    done = subprocess.run(
        [sys.executable, "-m", "leakscan", "diff", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("LEAK  6 Run survive 6 intervals"), done.stderr


def test_a_leak_whose_youngest_objects_lie_in_a_full_cache_as_well_has_not_stopped():
    found = series(program(range(count), also_cached=3) for count in range(5, 14))
    assert found.verdict is Verdict.LEAK
    assert {leak.evidence for leak in found.leaks} == {"1 per interval, every interval"}
    assert sum(leak.count for leak in found.leaks) == 8


def test_what_only_the_last_of_several_long_intervals_left_is_in_flight():
    found = series((program(range(count)) for count in (2, 2, 2, 9)), runs_each=17)
    assert (found.verdict, found.leaks[0].evidence[:39]) == (
        Verdict.BOUNDED,
        "only what the last interval made is ali",
    )
