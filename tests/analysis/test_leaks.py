from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drawn_leaks import RUNS, each_run, found, read, the_leak
from heaps import heap
from leakscan.analysis.diff import Measured, diff
from leakscan.analysis.one_snapshot import paths_to_type
from leakscan.analysis.results.findings import Verdict
from leakscan.errors import UsageError

STREAMLAB = """
module streamlab.workflow -> mw; mw: module name=streamlab.workflow
mw -[.__dict__]-> dw -['default']-> flow; dw: dict
flow: streamlab.workflow.Workflow; flow -[._runs]-> runs; runs: dict
module streamlab.events -> me; me: module name=streamlab.events
me -[.__dict__]-> de -['bus']-> bus; de: dict; bus: streamlab.events.Emitter
bus -[.handlers]-> handlers; handlers: dict; handlers -['chunk']-> listeners; listeners: list
"""
RUN = """
runs -['run-#']-> run# -[.output]-> out#; run#: streamlab.workflow.Run size=48 birth=#
out#: streamlab.output.ModelOutput size=100 birth=#; out# -[.buffer]-> buffer#; buffer#: list size=56 birth=#
buffer# -[0]-> x#; buffer# -[1]-> y#
x#: streamlab.output.Chunk size=900 birth=#; y#: streamlab.output.Chunk size=900 birth=#
listeners -[#]-> f# -[slot __closure__]-> t# -[0]-> c# -[slot cell_contents]-> out#
f#: function name=on_chunk size=100 birth=#; t#: tuple size=40 birth=#; c#: cell name=output size=40 birth=#
"""
APP = "module app -> m; m: module name=app; m -['ITEMS']-> items; items: list\n"


def test_two_holders_of_one_object_are_one_leak_with_two_paths():
    leak = the_leak(STREAMLAB, RUN)
    assert [read(path) for path in (leak.path, *leak.also_held_by)] == [
        "module streamlab.workflow > default: Workflow > ._runs: dict > ['run-*']: Run"
        " > .output: ModelOutput",
        "module streamlab.events > bus: Emitter > .handlers: dict > ['chunk']: list > [*]: function"
        " > closure `output`: ModelOutput",
    ]


def test_the_first_line_names_the_class_that_retains_the_bytes():
    assert found(STREAMLAB, RUN).headline == (
        "LEAK  6 ModelOutput survive 6 runs: 1 per run, every run, held by Workflow._runs."
        " 13.1 kB retained, 2.18 kB per run."
    )


def test_a_leak_weighs_what_its_cut_frees():
    leak = the_leak(STREAMLAB, RUN)
    assert leak.exclusive_bytes == leak.cut.frees_bytes


COUNTED = "items -[.handler_#]-> h#; h#: app.Handler size=9 birth=#\n"


@pytest.mark.parametrize(("runs", "name"), [(4, "app.ITEMS.handler_*"), (3, "app.ITEMS.*")])
def test_names_that_a_program_counts_are_one_slot(runs: int, name: str):
    leak = the_leak(APP, COUNTED, runs=runs)
    assert [member.pattern for member in leak.cut.members] == [name]


def function(name: str, file: str, line: int = 3) -> str:
    """A function of the module of that file, with a list in its closure that each run appends to."""
    return f"""
    module {file} -> m_{file}; m_{file}: module name={file} at={file}.py:1
    m_{file} -['{name}']-> f_{name}; f_{name}: function name=make.<locals>.add
    f_{name} -[slot __code__]-> code_{name}; code_{name}: code name=add at={file}.py:{line}
    f_{name} -[slot __closure__]-> t_{name} -[0]-> c_{name} -[slot cell_contents]-> l_{name}
    t_{name}: tuple; c_{name}: cell name=kept; l_{name}: list
    """


def cuts_of(before: str, grown: str) -> list[str]:
    findings = found(before, grown)
    assert findings.verdict is Verdict.LEAK
    return sorted(member.pattern for leak in findings.leaks for member in leak.cut.members)


TWO_LISTS = "l_one -[#]-> x#; x#: app.X birth=#; l_two -[#]-> y#; y#: app.Y birth=#"


def test_functions_of_one_name_in_two_modules_are_two_slots():
    assert cuts_of(function("one", "jobs") + function("two", "mail"), TWO_LISTS) == [
        "jobs.make.<locals>.add closure 'kept'[*]",
        "mail.make.<locals>.add closure 'kept'[*]",
    ]


def test_functions_of_one_name_in_one_module_are_known_from_what_holds_them():
    assert cuts_of(function("one", "jobs") + function("two", "jobs", line=9), TWO_LISTS) == [
        "jobs.one closure 'kept'[*]",
        "jobs.two closure 'kept'[*]",
    ]


def test_functions_of_one_name_and_one_line_are_one_slot():
    assert cuts_of(function("one", "jobs") + function("two", "jobs"), TWO_LISTS) == [
        "make.<locals>.add closure 'kept'[*]"
    ]


def test_locals_of_running_functions_of_one_name_in_two_modules_are_two_slots():
    before = """
    module jobs -> mj; mj: module name=jobs at=jobs.py:1; module mail -> mm; mm: module name=mail at=mail.py:1
    thread A -> fa; fa: <frame> name=work at=jobs.py:7 flags=synthetic; fa -[local kept]-> l_one; l_one: list
    thread B -> fb; fb: <frame> name=work at=mail.py:5 flags=synthetic; fb -[local kept]-> l_two; l_two: list
    """
    assert cuts_of(before, TWO_LISTS) == ["jobs.work local 'kept'[*]", "mail.work local 'kept'[*]"]


@pytest.mark.parametrize("names", [("user_1", "user_2", "user_3", "user_4"), ("ann", "bob", "eve", "joe")])
def test_attributes_that_no_longer_fit_inside_their_object_are_its_attributes_still(names: tuple[str, ...]):
    kept = "module app -> m; m: module name=app; m -['S']-> svc; svc: app.Service; old: app.Config"
    before = heap(f"{kept}; svc -[.config]-> old", meta={"births": True})
    after = "\n".join(
        f"d -['{name}']-> x{run}; x{run}: app.Session birth={run}" for run, name in enumerate(names, 1)
    )
    after = f"{kept}; svc -[.__dict__]-> d; d: dict birth=2 size=90; d -['config']-> old\n{after}"
    (leak,) = diff(before, heap(after), runs=4).leaks
    assert leak.count == 4
    assert [(one.pattern, one.frees_old) for one in leak.cut.members] in (
        [("Service.user_*", 0)],
        [("Service.*", 0)],
    )
    assert (leak.holder.entries_before, leak.holder.entries_after) == (1, 5)


def test_the_smallest_cut_takes_both_holders():
    cut = the_leak(STREAMLAB, RUN).cut
    assert [member.pattern for member in cut.members] == ["Workflow._runs[*]", "Emitter.handlers['chunk'][*]"]


def test_a_type_can_be_asked_for():
    leak = the_leak(STREAMLAB, RUN, type_filter="output.Chunk")
    assert (leak.type_name, leak.count) == ("streamlab.output.Chunk", 12)


def test_a_type_that_is_not_there_is_an_error_that_shows_the_nearest():
    with pytest.raises(UsageError, match="ModelOutpt") as caught:
        found(STREAMLAB, RUN, type_filter="ModelOutpt")
    assert "ModelOutput" in caught.value.hint


def test_a_leak_is_named_after_a_class_and_not_the_tuple_it_lies_in():
    grown = "items -[#]-> t#; t#: tuple birth=#; t# -[0]-> s#; s#: app.Session size=300 birth=#"
    assert the_leak(APP, grown).type_name == "app.Session"


def test_a_thin_wrapper_does_not_give_its_name_to_what_it_wraps():
    grown = "items -[#]-> w#; w#: app.Wrapper birth=#; w# -[.body]-> b#; b#: app.Body size=900 birth=#"
    assert the_leak(APP, grown).type_name == "app.Body"


def test_a_class_with_much_of_its_own_keeps_its_name():
    grown = (
        "items -[#]-> w#; w#: app.Session size=500 birth=#; w# -[.body]-> b#; b#: app.Body size=500 birth=#"
    )
    assert the_leak(APP, grown).type_name == "app.Session"


def test_many_of_one_class_do_not_give_their_name_to_the_one_that_holds_them():
    parts = ";".join(f"l# -[{at}]-> p#_{at}; p#_{at}: app.Part size=900 birth=#" for at in range(4))
    grown = f"items -[#]-> w#; w#: app.Whole birth=#; w# -[.parts]-> l#; l#: list birth=#; {parts}"
    assert the_leak(APP, grown).type_name == "app.Whole"


def test_one_for_each_head_is_told_before_the_many_that_it_shares():
    shared = ";".join(
        f"q# -[{at}]-> p#_{at}; o# -[.p{at}]-> p#_{at}; p#_{at}: app.Part size=900 birth=#" for at in range(4)
    )
    grown = (
        "items -[#]-> f#; f#: function name='listen.<locals>.on_part' birth=#;"
        "f# -[.queue]-> q#; q#: list birth=#;"
        f"f# -[.output]-> o#; o#: app.Output size=900 birth=#; {shared}"
    )
    assert the_leak(APP, grown).type_name == "app.Output"


def test_builtin_survivors_are_called_by_their_function():
    grown = "items -[#]-> f#; f#: function name='subscribe.<locals>.on_change' birth=#"
    assert the_leak(APP, grown).name == "function subscribe.<locals>.on_change"


def test_builtin_survivors_without_a_name_are_called_by_the_slot_that_holds_them():
    assert the_leak(APP, "items -[#]-> d#; d#: dict birth=#").name == "dict in app.ITEMS[*]"


def test_a_list_that_is_replaced_by_a_longer_one_is_told_by_what_it_holds():
    before = (
        "module app -> m; m: module name=app; m -['LOG']-> log; log: app.Log; log -[.old]-> past; past: list"
    )
    grown = "new -[#]-> s#; s#: app.Message size=50 birth=#"
    findings = found(before, f"{grown}; log -[.entries]-> new; new: list birth=6")
    assert [(leak.type_name, leak.count, leak.verdict) for leak in findings.leaks] == [
        ("app.Message", 6, Verdict.LEAK)
    ]


def test_a_chain_held_by_its_youngest_member_counts_all_of_them():
    before = "module app -> m; m: module name=app"
    links = "\n".join(f"n{run} -[.previous]-> n{run - 1}" for run in range(2, 7))
    leak = the_leak(before, f"n#: app.Node size=10 birth=#\n{links}\nm -['HEAD']-> n6")
    assert (leak.type_name, leak.count, leak.births) == ("app.Node", 6, (1,) * 6)


def test_two_registries_are_two_leaks():
    before = f"{APP} m -['OTHERS']-> others; others: list"
    grown = "items -[#]-> a#; a#: app.A birth=#; others -[#]-> b#; b#: app.A birth=#"
    assert [leak.holder.label for leak in found(before, grown).leaks] == ["app.ITEMS", "app.OTHERS"]


def test_one_slot_of_many_old_objects_is_one_leak():
    users = ";".join(f"items -[{at}]-> u{at}; u{at}: app.User birth=0" for at in range(1, 7))
    leak = the_leak(f"{APP}{users}", "u# -[.profile]-> p#; p#: app.Profile birth=#")
    assert (read(leak.path), leak.count) == ("module app > ITEMS: list > [*]: User > .profile: Profile", 6)


def test_lists_under_the_keys_of_one_table_are_filled_by_one_line():
    def lists(count: int) -> int:
        before = f"{APP} m -['D']-> d; d: dict;" + ";".join(
            f"d -['{key}']-> l{key}; l{key}: list birth=0" for key in "abcdefghijkl"[:count]
        )
        grown = ";".join(f"l{key} -[#]-> s#{key}; s#{key}: app.S birth=#" for key in "abcdefghijkl"[:count])
        return len(found(before, grown).leaks)

    assert [lists(2), lists(12)] == [1, 1]


def test_keys_of_a_table_are_not_a_leak_beside_its_values():
    before = "module app -> m; m: module name=app; m -['D']-> d; d: dict"
    grown = "d -[key 'k#']-> k#; k#: str size=60 birth=#; d -['k#']-> s#; s#: app.Session size=90 birth=#"
    leak = the_leak(before, grown)
    assert (leak.type_name, leak.exclusive_bytes) == ("app.Session", 6 * 150)


def test_what_two_leaks_share_is_shared_and_no_third_leak():
    before = f"{APP} m -['OTHERS']-> others; others: list"
    grown = """
    items -[#]-> a#; a#: app.A size=10 birth=#; a# -> c
    others -[#]-> b#; b#: app.B size=10 birth=#; b# -> c
    """
    findings = found(before, f"{grown}; c: app.Shared size=7 birth=1")
    assert [(leak.type_name, leak.exclusive_bytes, leak.shared_bytes) for leak in findings.leaks] == [
        ("app.A", 60, 7),
        ("app.B", 60, 7),
    ]


def test_a_heavy_object_made_once_does_not_hide_the_leak_that_shares_it():
    grown = (
        "items -[#]-> c#; c#: app.Callback size=10 birth=#; c# -[.config]-> big; items -[9]-> other -> big"
    )
    findings = found(APP, f"{grown}; big: app.Config size=9000 birth=1; other: app.Callback size=10 birth=1")
    assert [(leak.type_name, leak.count) for leak in findings.leaks] == [("app.Callback", 7)]


def test_weak_references_to_survivors_go_with_them():
    grown = """
    items -[#]-> s#; s#: app.Session size=90 birth=#; alive -[{}]-> w#; w#: weakref:ReferenceType birth=#
    w# -[~]-> s#; w# -[slot __callback__]-> f; f: function name=remove
    """
    findings = found(f"{APP} m -['ALIVE']-> alive; alive: set", grown)
    assert ([leak.type_name for leak in findings.leaks], [leak.count for leak in findings.noise]) == (
        ["app.Session"],
        [],
    )


def test_a_context_that_the_runs_made_is_known_by_its_variables():
    context = """
    interpreter context of the thread -> ctx; ctx: _contextvars.Context birth=1 size=9
    ctx -[context trail]-> t; t: tuple birth=6 size=9
    """
    after = heap(f"{APP}{context}" + each_run("t -[#]-> x#; x#: app.Step birth=# size=90"))
    (leak,) = diff(heap(APP, meta={"births": True}), after, runs=RUNS).leaks
    assert (leak.count, [one.pattern for one in leak.cut.members]) == (6, ["context variable 'trail'"])


def test_weak_references_to_what_leakscan_keeps_alive_are_no_leak():
    grown = """
    alive -[{}]-> w#; w#: weakref:ReferenceType birth=#; w# -[~]-> t#; t#: _asyncio.Task birth=#
    w# -[slot __callback__]-> f; own thread driver# -> d#; d#: frame flags=own birth=0; d# -[local task]-> t#
    items -[#]-> e#; e#: app.Error birth=# size=90; e# -[slot __traceback__]-> d#
    """
    findings = found(f"{APP} m -['ALIVE']-> alive; alive: set; f: function name=remove", grown)
    assert [leak.type_name for leak in findings.leaks] == ["app.Error"]


def test_weak_references_that_nobody_clears_away_are_a_leak():
    grown = "items -[#]-> w#; w#: weakref:ReferenceType birth=#"
    assert the_leak(APP, grown).type_name == "weakref.ReferenceType"


def test_what_took_the_place_of_an_older_one_is_no_growth():
    before = "module app -> m; m: module name=app; m -['LAST']-> holder; holder: app.Holder"
    earlier = heap(f"{before}; holder -[.last]-> a; a: app.Reply birth=0 addr=0x100")
    later = heap(f"{before}; holder -[.last]-> b; b: app.Reply birth=6 addr=0x200")
    findings = diff(earlier, later, runs=6)
    assert (findings.verdict, findings.leaks) == (Verdict.CLEAN, ())


def test_growth_lists_leaking_classes_first_by_what_they_retain():
    rows = found(STREAMLAB, RUN).growth
    assert [(row.type_name.rpartition(".")[2], row.delta, row.retained_bytes) for row in rows[:3]] == [
        ("ModelOutput", 6, 11_736),
        ("Chunk", 12, 10_800),
        ("Run", 6, 288),
    ]


def test_the_same_snapshots_give_the_same_findings():
    assert found(STREAMLAB, RUN) == found(STREAMLAB, RUN)


def test_exclusive_shared_and_other_bytes_add_up():
    findings = found(STREAMLAB, RUN)
    freed = findings.leaks[0].cut.frees_bytes
    assert freed == findings.survivor_bytes


def test_slots_that_are_written_alike_keep_all_their_references():
    before = "thread T -> a, b; a: list; b: list; a -[.x]-> c; b -[.x]-> d; c: list; d: list"
    findings = found(before, "c -[#]-> y#; y#: app.Y birth=#; d -[#]-> z#; z#: app.Y birth=#")
    assert [member.reference_count for member in findings.leaks[0].cut.members] == [12]


def test_frames_of_leakscan_that_a_traceback_leads_to_are_nobodys():
    grown = """
    items -[#]-> e#; e#: ValueError size=90 birth=#; e# -[slot __traceback__]-> f#; f#: frame size=10 birth=#
    f# -[slot f_back]-> driver; driver: frame flags=own size=70 birth=0
    """
    leak = the_leak(APP, grown)
    assert (leak.exclusive_bytes, leak.cut.members[0].frees_old) == (600, 0)


def test_new_objects_that_no_allocator_made_are_judged_by_the_census():
    before = heap("module app -> m; m: module name=app birth=0")
    after = heap("module app -> m; m: module name=app birth=0; m -['T']-> t; t: app.Meta birth=0")
    counts = {"app.Meta": (0, 1, 1, 1, 1, 1, 1)}
    findings = diff(before, after, runs=6, measured=Measured(type_counts=counts))
    assert [row.verdict for row in findings.growth] == [findings.verdict] == [Verdict.WARM_UP]


def test_threads_that_never_end_are_one_leak_with_all_that_is_on_their_stacks():
    before = "module threading -> th; th: module name=threading; th -['_active']-> active; active: dict"
    grown = """
    active -[#]-> t#; t#: threading.Thread size=50 birth=#
    thread Worker-# -> f#; f#: <frame> name=work flags=synthetic size=1; f# -[frame f_back]-> g#
    g#: <frame> name=Thread.run flags=synthetic size=1; g# -[local self]-> t#
    f# -[local buffer]-> b#; b#: bytearray size=900 birth=#
    """
    leak = the_leak(before, grown)
    assert (leak.type_name, leak.count, leak.path.root) == ("threading.Thread", 6, "thread 'Worker-*'")


@pytest.mark.parametrize("order", [("leaking", "warm"), ("warm", "leaking")], ids=" first".join)
def test_what_c_holds_is_judged_type_by_type_though_it_is_written_alike(order: tuple[str, str]):
    drawn = {
        "leaking": each_run("a#: app.Alpha refcount=+1 birth=#"),
        "warm": "b1: app.Beta refcount=+1 birth=1",
    }
    after = heap("\n".join((APP, *(drawn[name] for name in order))))
    findings = diff(heap(APP, meta={"births": True}), after, runs=RUNS)
    assert {leak.type_name: leak.verdict for leak in (*findings.leaks, *findings.others)} == {
        "app.Alpha": Verdict.LEAK,
        "app.Beta": Verdict.WARM_UP,
    }
    assert {row.type_name: row.verdict for row in findings.growth} == {
        "app.Alpha": Verdict.LEAK,
        "app.Beta": Verdict.WARM_UP,
    }


def test_a_class_that_each_run_makes_anew_is_one_by_its_name():
    text = APP + each_run("items -[#]-> r#; r#: app.Row# size=9 birth=#")
    drawn = heap(text)
    is_row = np.array([name.startswith("app.Row") for name in drawn.type_names])
    names = np.where(is_row, drawn.types.names[is_row][0], drawn.types.names)
    # Drawings have one row for each name.
    after = replace(heap(text), types=replace(drawn.types, names=names))
    found = diff(heap(APP, meta={"births": True}), after, runs=RUNS)
    assert [(leak.type_name, leak.count, leak.verdict) for leak in found.leaks] == [
        ("app.Row1", 6, Verdict.LEAK)
    ]
    assert [(row.type_name, row.verdict) for row in found.growth] == [("app.Row1", Verdict.LEAK)]
    (group,) = paths_to_type(after, "app.Row1").groups
    assert group.count == 6
