"""Entries of weak tables and finalizers: they go with what they wait for, and the table is no leak."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drawn_leaks import each_run, the_leak, told
from drawn_runs import Analysed
from heaps import heap
from leakscan.analysis.causes.leaks import Limits
from leakscan.analysis.cuts.whatif import freed_by
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.retention import write_causes

FINALIZED = """
module weakref -> wm; wm: module name=weakref; wm -['finalize']-> ft; ft: type defines=weakref.finalize
ft -[._registry]-> registry; registry: dict
module app -> m; m: module name=app; m -['POOL']-> pool; pool: list
"""
FINALIZER = """
pool -[#]-> c#; c#: app.Conn birth=#
registry -[key '<finalize>']-> z#; z#: weakref.finalize birth=#; registry -[<finalize>]-> i#
i#: weakref.finalize._Info birth=#; i# -[slot weakref]-> w#; w#: weakref.ReferenceType birth=#
w# -[~]-> c#; w# -[slot __callback__]-> z#; i# -[slot args]-> s#; s#: app.Session birth=#
"""


def test_what_waits_for_an_object_to_die_goes_with_it():
    leak = the_leak(FINALIZED, FINALIZER)
    assert [(member.pattern, member.frees_alone) for member in leak.cut.members] == [("app.POOL[*]", 6)]
    assert {name for name, _, _ in leak.contents} | {leak.type_name} == {
        "app.Conn", "app.Session", "weakref.finalize", "weakref.finalize._Info", "weakref.ReferenceType",
    }  # fmt: skip


def test_a_finalizer_of_an_old_object_is_held_by_its_table():
    grown = FINALIZER.replace("pool -[#]-> c#; c#: app.Conn birth=#", "").replace("-> c#", "-> pool")
    leak = the_leak(FINALIZED, grown)
    assert [member.pattern for member in leak.cut.members] == ["weakref.finalize._registry[*]"]


def test_a_finalizer_that_leads_to_what_it_waits_for_keeps_both():
    leak = the_leak(FINALIZED, FINALIZER + "; s# -[.conn]-> c#")
    assert {member.pattern for member in leak.cut.members} == {"app.POOL[*]", "weakref.finalize._registry[*]"}


def test_what_only_a_weak_table_leads_to_does_not_give_its_name_to_the_leak():
    before = "module app -> m; m: module name=app; m -['CALLS']-> calls; calls: list"
    before += "; m -['TABLE']-> table; table: dict"
    grown = """
    calls -[#]-> f#; f#: function name=on_chunk birth=#; table -[key '<w>']-> w#; table -[<w>]-> s#
    w#: weakref.ReferenceType birth=#; w# -[~]-> f#; w# -[slot __callback__]-> remove
    s#: app.Session birth=# size=900
    """
    leak = the_leak(f"{before}; remove: function name=remove birth=0", grown)
    assert (leak.type_name, [member.pattern for member in leak.cut.members]) == (
        "function",
        ["app.CALLS[*]"],
    )


def test_what_goes_with_the_entries_of_one_leak_is_told_with_it_beside_another():
    before = FINALIZED + "; m -['OTHERS']-> others; others: list"
    grown = FINALIZER.replace("app.Conn", "bytearray") + "; others -[#]-> o#; o#: app.Other birth=#"
    graphs = [heap(text, meta={"births": True}) for text in (before, before + each_run(grown))]
    groups, omitted, unacquitted = write_causes(told(*graphs), Limits(), None)
    assert [group.type_name for group in groups] == ["bytearray", "app.Other"]
    assert (omitted, unacquitted) == ([], 0)


ORM = """
module app -> m; m: module name=app; m -['ROWS']-> rows; rows: list
m -['SESSION']-> session; session: app.Session; session -[.identity]-> map; map: dict
m -['STATES']-> states; states: list
"""
ROW = """
rows -[#]-> u#; u#: app.User birth=# size=900; u# -[.state]-> s#
s#: sqlalchemy.orm.state.InstanceState birth=#
map -[key '<k>']-> k#; map -[<k>]-> s#; k#: tuple birth=#; s# -[.obj]-> w#; w#: weakref.ReferenceType birth=#
w# -[~]-> u#; w# -[slot __callback__]-> cleanup#; cleanup#: method birth=#; cleanup# -[.__self__]-> s#
"""


def slots(row: str) -> dict[str, Verdict]:
    graphs = [heap(text, meta={"births": True}) for text in (ORM, ORM + each_run(row))]
    return {one.slot.pattern: one.judgement.verdict for one in told(*graphs).judged}


def test_the_identity_map_of_sqlalchemy_lets_go_of_rows_that_die():
    rows = {"app.ROWS[*]": Verdict.LEAK}
    assert slots(ROW) == {**rows, "Session.identity[*]": Verdict.CLEAN}
    other = slots(ROW.replace("sqlalchemy.orm.state.InstanceState", "app.State"))
    assert other == {**rows, "Session.identity[*]": Verdict.LEAK}


def test_a_list_of_their_states_does_not():
    assert slots(f"{ROW}\nstates -[#]-> s#")["app.STATES[*]"] is Verdict.LEAK


def test_what_multiprocessing_does_when_an_object_dies_goes_with_it():
    before = """
    module multiprocessing.util -> u; u: module name=multiprocessing.util; u -['_finalizer_registry']-> table
    module app -> m; m: module name=app; m -['PROXIES']-> proxies; proxies: list; table: dict
    """
    grown = """
    proxies -[#]-> p#; p#: multiprocessing.managers.DictProxy birth=#; p# -[._close]-> f#
    table -[key '<k>']-> k#; table -[<k>]-> f#; k#: tuple birth=#
    f#: multiprocessing.util.Finalize birth=# size=99
    f# -[._weakref]-> w#; w#: weakref.ReferenceType birth=#; w# -[~]-> p#; w# -[slot __callback__]-> f#
    """
    leak = the_leak(before, grown)
    assert (leak.type_name, [member.pattern for member in leak.cut.members]) == (
        "multiprocessing.managers.DictProxy",
        ["app.PROXIES[*]"],
    )


@st.composite
def weak_tables(draw: st.DrawFn) -> str:
    """New objects that an old list and each other hold, values of a weak table by those among them."""
    count = draw(st.integers(2, 7))
    numbers = st.integers(0, count - 1)
    lines = ["root -> pool, table; pool: list; table: dict"]
    lines += [f"n{number}: app.C{number} birth=1 size={number + 1}" for number in range(count)]
    lines += [f"pool -[{at}]-> n{at}" for at in draw(st.sets(numbers, min_size=1))]
    lines += [f"n{a} -[.to{b}]-> n{b}" for a, b in draw(st.sets(st.tuples(numbers, numbers)))]
    for number, (key, value) in enumerate(sorted(draw(st.sets(st.tuples(numbers, numbers))))):
        lines.append(f"table -[key '<w{number}>']-> w{number} -[~]-> n{key}; table -[<w{number}>]-> n{value}")
        lines.append(f"w{number}: weakref.ReferenceType birth=1; w{number} -[slot __callback__]-> remove")
    return "\n".join([*lines, "remove: function name=remove birth=0"])


@given(weak_tables(), st.data())
def test_the_region_frees_what_the_whole_graph_frees(text: str, data: st.DataObject):
    run = Analysed(heap(text))
    region, graph = run.region, run.graph
    chosen = sorted(data.draw(st.sets(st.sampled_from(list(graph.references(graph["pool"]))))))
    if data.draw(st.booleans()):
        chosen = sorted([*chosen, *graph.references(graph["table"])])
    chosen = np.array(chosen, np.uint32)
    freed = np.zeros(graph.object_count, np.bool_)
    freed[region.objects[region.freed_by(chosen)]] = True
    whole = freed_by(graph, run.life, chosen, np.zeros(0, np.uint32))
    assert graph.spell(np.flatnonzero(freed)) == graph.spell(np.flatnonzero(whole))
