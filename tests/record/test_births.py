"""Births of blocks, as the allocator hook writes them."""

from __future__ import annotations

import contextvars
import gc
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leakscan import _native
from leakscan.errors import RecordError
from leakscan.record import births

ROOT = Path(__file__).parents[2]
UNKNOWN = 0xFFFF


class Thing:
    pass


def born(value: object) -> int:
    return _native.births_of(value)[0]


@pytest.fixture(params=[20, 1000], ids=["narrow", "wide"])
def armed(request: pytest.FixtureRequest) -> Iterator[None]:
    births.arm(runs=request.param)
    births.begin_run(1)
    yield
    births.disarm()


def test_objects_alive_before_arming_belong_to_the_baseline() -> None:
    old = [Thing(), {1: 2}, [3]]
    births.arm(runs=20)
    births.begin_run(1)
    assert [born(value) for value in old] == [0, 0, 0]
    births.disarm()


@pytest.mark.usefixtures("armed")
def test_an_object_carries_the_run_that_allocated_it() -> None:
    first = Thing()
    births.begin_run(2)
    second = [Thing(), "x" * int("1000"), (first,), {"a": first}, 1.5 * int("3")]
    assert [born(first), *map(born, second)] == [1, 2, 2, 2, 2, 2]


@pytest.mark.usefixtures("armed")
def test_what_a_callback_of_the_collector_drops_is_not_recycled_in_the_next_run() -> None:
    heard = []

    def hear(phase: str, details: dict[str, int]) -> None:
        heard.append(phase)
        [{}, {}, [], [], 1.5 * int("3"), 2.5 * int("3")].clear()

    gc.callbacks.append(hear)
    try:
        births.begin_run(2)
        made = [{"a": made} for made in range(3)] + [[made] for made in range(3)] + [1.5 * int("3")]
        assert {born(value) for value in made} == {2}
        assert (heard, hear in gc.callbacks) == (["start", "stop"], True)
    finally:
        gc.callbacks.remove(hear)


@pytest.mark.usefixtures("armed")
def test_a_resized_object_keeps_its_run_wherever_it_moves() -> None:
    text = "x" * int("100")
    neighbours = []
    for i in range(1000):
        if i == 500:
            born_at_half = born(text)
            births.begin_run(2)
        text += "y" * int("100")  # resized in place once the interpreter has specialised it
        neighbours.append(bytes(100))
    assert (born_at_half, born(text), len(text)) == (1, 1, 100_100)


@pytest.mark.usefixtures("armed")
def test_a_large_block_is_watched_like_a_small_one() -> None:
    assert born(bytes(10_000_000)) == 1


@pytest.mark.usefixtures("armed")
def test_own_allocations_of_one_thread_are_marked_and_those_of_others_are_not() -> None:
    births.begin_own()
    mine = Thing()
    theirs: list[Thing] = []
    thread = threading.Thread(target=lambda: theirs.append(Thing()))
    thread.start()
    thread.join()
    births.begin_run(2)
    assert (born(mine), born(theirs[0]), born(Thing())) == (births.OWN, 1, 2)


@pytest.mark.parametrize("runs", [20, 1000])
def test_what_is_born_while_leakscan_waits_is_of_no_run(runs: int) -> None:
    births.arm(runs=runs)
    births.begin_run(1)
    births.begin_waiting()
    waited = Thing()
    births.begin_run(2)
    assert (born(waited), born(Thing())) == (births.WAITING, 2)
    births.disarm()


@pytest.mark.parametrize("runs", [20, 1000])
def test_other_threads_can_wait_while_this_one_works_for_leakscan(runs: int) -> None:
    births.arm(runs=runs)
    births.begin_own()
    births.mark_others_waiting()
    mine = Thing()
    theirs: list[Thing] = []
    thread = threading.Thread(target=lambda: theirs.append(Thing()))
    thread.start()
    thread.join()
    assert (born(mine), born(theirs[0])) == (births.OWN, births.WAITING)
    births.disarm()


def test_only_as_many_runs_fit_as_the_shadow_is_wide() -> None:
    births.arm(runs=252)
    births.begin_run(252)
    assert born(Thing()) == 252
    with pytest.raises(ValueError, match="253 does not fit"):
        births.begin_run(253)
    births.arm(runs=65532)
    births.begin_run(65532)
    assert born(Thing()) == 65532
    births.disarm()


def test_more_runs_than_any_width_holds_are_refused() -> None:
    with pytest.raises(RecordError, match="65533 runs do not fit"):
        births.arm(runs=65533)


def test_arming_again_makes_everything_alive_the_new_baseline() -> None:
    births.arm(runs=20)
    births.begin_run(7)
    before = [Thing() for _ in range(100)]
    for runs in (20, 1000, 20):
        births.arm(runs=runs)
        births.begin_run(1)
        assert {born(thing) for thing in before} == {0}
        assert born(Thing()) == 1
    births.disarm()


def test_nothing_is_known_about_births_after_disarming() -> None:
    births.arm(runs=20)
    births.begin_run(1)
    things = [Thing() for _ in range(1000)]
    births.disarm()
    births.disarm()
    assert born(things[0]) == UNKNOWN
    assert _native.births_stats()["state"] == "off"
    with pytest.raises(RecordError, match="not armed"):
        births.begin_run(2)


def test_the_hook_stays_as_a_passage_under_a_later_hook() -> None:
    births.arm(runs=20)
    tracemalloc.start()
    births.disarm()
    state = _native.births_stats()["state"]
    things = [Thing() for _ in range(1000)]
    births.arm(runs=20)
    births.begin_run(1)
    assert (state, born(Thing()), born(things[0])) == ("passing", 1, 0)
    tracemalloc.stop()
    assert born(Thing()) == 1
    births.disarm()


def test_a_tool_that_takes_the_hook_out_is_noticed_and_arming_again_helps() -> None:
    tracemalloc.start()
    births.arm(runs=20)
    births.begin_run(1)
    tracemalloc.stop()
    for begin in (births.mark_own, births.mark_others_waiting, births.begin_own, births.begin_waiting):
        with pytest.raises(RecordError, match="took the allocator hook away"):
            begin()
    for go_on in (births.begin_run, births.go_on):
        with pytest.raises(RecordError, match="took the allocator hook away"):
            go_on(2)
    assert (born(Thing()), _native.births_stats()["state"]) == (UNKNOWN, "lost")
    births.arm(runs=20)
    births.begin_run(3)
    assert born(Thing()) == 3
    births.disarm()


@pytest.mark.usefixtures("armed")
def test_the_census_of_live_blocks_counts_what_was_born_and_did_not_die() -> None:
    before = _native.births_usage()[0]
    things = [bytes(100) for _ in range(5000)]
    grown = _native.births_usage()[0] - before
    del things
    shrunk = _native.births_usage()[0] - before
    assert 5000 <= grown < 5100 and shrunk < 100


@pytest.mark.usefixtures("armed")
def test_every_recycled_type_is_watched_on_a_known_version() -> None:
    assert _native.births_stats()["unseen_types"] == 0


async def one_item() -> object:
    yield 1


# What each version keeps on free lists; the other kinds are here to stay right.
RECYCLED: dict[str, Callable[[], object]] = {
    "list": lambda: [sys],
    "tuple": lambda: (sys, sys.path),
    "tuple of 20": lambda: (*range(20),),
    "dict": lambda: {"a": sys},
    "set": lambda: {1},
    "float": lambda: float("1.5"),
    "int": lambda: int("123456789"),
    "slice": lambda: slice(sys, 2),
    "context": contextvars.Context,
    "bound method": lambda: Thing().__init__,
    "builtin method": lambda: [].append,
    "list iterator": lambda: iter([1]),
    "tuple iterator": lambda: iter((1,)),
    "range": lambda: range(1_000_000),
    "range iterator": lambda: iter(range(1_000_000)),
    "async generator step": lambda: one_item().asend(None),  # type: ignore[attr-defined]
    "object": Thing,
}


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize("sites", [False, True], ids=["births", "sites"])
@pytest.mark.parametrize("kind", RECYCLED)
def test_an_object_in_the_recycled_block_of_an_older_one_is_born_now(kind: str, sites: bool) -> None:
    make = RECYCLED[kind]
    births.arm(runs=20, sites=sites)
    births.begin_run(1)
    old: list[object] = [make() for _ in range(300)]
    births.begin_run(2)
    new: list[object] = [None] * 300
    for i in range(300):
        old[i] = None
        new[i] = make()
    assert {born(value) for value in new} == {2}
    births.disarm()


@pytest.mark.parametrize("kind", RECYCLED)
def test_no_free_list_carries_a_block_over_a_boundary(kind: str) -> None:
    make = RECYCLED[kind]
    births.arm(runs=20)
    births.begin_run(1)
    dropped = [make() for _ in range(300)]
    del dropped
    births.begin_run(2)
    assert {born(value) for value in [make() for _ in range(300)]} == {2}
    births.disarm()


@pytest.mark.parametrize("sites", [False, True], ids=["births", "sites"])
def test_deeply_nested_containers_still_die_without_recursion(sites: bool) -> None:
    births.arm(runs=20, sites=sites)
    births.begin_run(1)
    nest: object = None
    for i in range(1_000_000):
        nest = ([nest], {i: nest}, (nest,))[i % 3]
    live = _native.births_usage()[0]
    del nest
    assert live - _native.births_usage()[0] > 990_000
    births.disarm()


def test_containers_dropped_by_finalizers_of_nested_containers_die_too() -> None:
    class Dropper:
        def __init__(self, content: object) -> None:
            self.content = content

        def __del__(self) -> None:
            deaths.append(1)

    deaths: list[int] = []
    births.arm(runs=20)
    births.begin_run(1)
    nest: object = None
    for i in range(20_000):
        nest = [nest] if i % 3 else Dropper((nest,))
    del nest
    assert len(deaths) == 6667
    births.disarm()


@pytest.mark.usefixtures("armed")
def test_threads_may_allocate_while_the_run_changes() -> None:
    stop = threading.Event()

    def churn() -> None:
        kept: list[object] = []
        while not stop.is_set():
            kept = [({i: [i]}, Thing()) for i in range(200)]
        assert len(kept) in (0, 200)

    threads = [threading.Thread(target=churn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for run in range(2, 12):
        births.begin_run(run)
        assert born(Thing()) == run
    stop.set()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("armed")
def test_a_forked_child_inherits_the_births_and_goes_on() -> None:
    thing = Thing()
    child = os.fork()
    if child == 0:
        births.begin_run(2)
        os._exit(0 if (born(thing), born(Thing())) == (1, 2) else 1)
    assert (os.waitpid(child, 0)[1], born(Thing())) == (0, 1)


ROUND = """
import sys
from leakscan.record import births
from leakscan import _native
class Thing: pass
old = Thing()
births.arm(runs=int(sys.argv[1]), sites=bool(int(sys.argv[2])))
births.begin_run(1)
first = Thing()
births.begin_run(2)
second = [Thing(), [first], bytes(5000)]
print(*[_native.births_of(value)[0] for value in (old, first, *second)])
if "interpreters" in sys.argv:
    code = "import json; kept = [json.loads('[1, {}]') for _ in range(1000)]"
    try:
        import _interpreters as sub
    except ImportError:
        import _xxsubinterpreters as sub
    for _ in range(3):
        interpreter = sub.create()
        sub.run_string(interpreter, code)
        sub.destroy(interpreter)
    assert _native.births_of(Thing())[0] == 2
if "late" not in sys.argv:
    births.disarm()
"""


def outcome(*arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ROUND, *arguments],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.strip() or done.stderr[-2000:]


MALLOCS = ["pymalloc", "pymalloc_debug", "malloc", "malloc_debug", "debug"]
if sys.version_info >= (3, 13):
    MALLOCS += ["mimalloc", "mimalloc_debug"]


@pytest.mark.parametrize("sites", ["0", "1"], ids=["births", "sites"])
@pytest.mark.parametrize("malloc", MALLOCS)
def test_births_work_over_every_allocator_of_the_interpreter(malloc: str, sites: str) -> None:
    assert outcome("20", sites, PYTHONMALLOC=malloc) == (0, "0 1 2 2 2")


def test_births_work_over_tracemalloc_started_before_the_program() -> None:
    assert outcome("1000", "0", PYTHONTRACEMALLOC="5") == (0, "0 1 2 2 2")


@pytest.mark.parametrize("sites", ["0", "1"], ids=["births", "sites"])
def test_an_interpreter_that_ends_armed_ends_well(sites: str) -> None:
    assert outcome("20", sites, "late") == (0, "0 1 2 2 2")


@pytest.mark.parametrize("sites", ["0", "1"], ids=["births", "sites"])
def test_other_interpreters_of_the_process_come_and_go_while_armed(sites: str) -> None:
    assert outcome("20", sites, "interpreters") == (0, "0 1 2 2 2")


@pytest.mark.skipif(
    not os.path.exists("/proc/self/pagemap"), reason="the kernel does not say what is touched"
)
def test_the_shadow_costs_memory_only_where_the_heap_was_touched() -> None:
    births.arm(runs=20)
    births.begin_run(1)
    before = _native.births_usage()[1]
    blocks = [bytes(1000) for _ in range(20_000)]
    grown = _native.births_usage()[1] - before
    # Where a test before this one named works, their numbers lie beside the runs.
    width = 1 + 2 * _native.works_recorded()
    births.disarm()
    assert len(blocks) == 20_000 and grown < 20_000 * 1033 / 16 * 2 * width + 131_072


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    births.disarm()
    gc.collect()


FIXED_ADDRESS = r"""
#include "births/births.h"
#include <cstdio>
namespace births::detail {
bool is_armed = true, has_sites = false, has_works = false;
volatile std::uint32_t quick = 1;
}
namespace shadow { std::atomic<std::uint8_t*> narrow[kRegions]; }
namespace works::detail {
State state;
std::uint16_t find(const void*) { return 0; }
}
int main() {
    static std::uint8_t first_region[shadow::kGranules];
    shadow::narrow[0] = first_region;
    const bool is_noted = births::detail::note_quickly(reinterpret_cast<void*>(0x400000));
    std::printf("%d %d %d\n", is_noted, births::detail::note_quickly(nullptr), first_region[0]);
}
"""


def test_no_block_is_not_taken_for_one_where_the_heap_begins_low(tmp_path: Path) -> None:
    """A program that is linked to a fixed address has its heap in the first gigabyte."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    (tmp_path / "low.cpp").write_text(FIXED_ADDRESS)
    include, native = sysconfig.get_path("include"), ROOT / "analyzer" / "native"
    flags = ["-std=c++20", "-w", "-DPy_LIMITED_API=0x030B0000", f"-I{include}", f"-I{native}"]
    subprocess.run([compiler, *flags, "-o", tmp_path / "low", tmp_path / "low.cpp"], check=True)
    printed = subprocess.run([tmp_path / "low"], capture_output=True, text=True, check=True).stdout
    assert printed == "1 0 0\n"
