"""A block of leakscan's that a thread of the program got from a free list is the program's."""

from __future__ import annotations

from drawn_leaks import each_run
from heaps import heap
from leakscan.analysis.births.reclaimed import reclaimed
from leakscan.analysis.diff import diff
from leakscan.heap.kinds import ObjectFlag

BEFORE = "module app -> m; m: module name=app; m -['RESULTS']-> results; results: list"
STORED = "results -[#]-> t#; t#: tuple birth=own flags=own; t# -[1]-> job#; job#: app.Job birth=#"


def test_a_tuple_between_the_programs_list_and_its_job_is_no_barrier():
    after = heap(f"{BEFORE}\n{each_run(STORED)}")
    (leak,) = diff(heap(BEFORE, meta={"births": True}), after, runs=6).leaks
    assert (leak.type_name, leak.count) == ("app.Job", 6)


def test_it_is_born_with_what_lies_in_it():
    after = heap(f"{BEFORE}\n{each_run(STORED)}")
    assert reclaimed(after).births[[after["t3"], after["t5"]]].tolist() == [3, 5]


def test_what_only_leakscan_holds_stays_its_own():
    after = heap(
        f"{BEFORE}; own thread L -> t; t: tuple birth=own flags=own; t -[0]-> job; job: app.Job birth=2"
    )
    assert reclaimed(after).flags[after["t"]] & ObjectFlag.OWN
