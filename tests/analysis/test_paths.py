from __future__ import annotations

from drawn_leaks import RUNS, each_run, found, groups, reached, read, the_leak
from heaps import heap
from leakscan.analysis.dialects.segment import normalised
from leakscan.analysis.graph.costs import LAST_RESORT
from leakscan.analysis.graph.kernels import NO

APP = """
module app -> m; m: module name=app; m -[.__dict__]-> names -['STORE']-> store; names: dict
store: app.Store; store -[.items]-> items; items: list
"""
GROWN = "items -[#]-> s#; s#: app.Session birth=#"


def test_a_path_reads_as_a_developer_would_write_it():
    assert read(the_leak(APP, GROWN).path) == "module app > STORE: Store > .items: list > [*]: Session"


def test_the_holder_is_the_last_old_object():
    (holder,) = [step for step in the_leak(APP, GROWN).path.steps if step.is_holder]
    assert (holder.reference, holder.note) == (".items", "0 -> 6 entries")


def test_the_module_that_defines_an_object_beats_one_that_imported_it():
    alias = "module a -> ma; ma: module name=a; ma -[.__dict__]-> da -['STORE']-> store; da: dict"
    assert read(the_leak(f"{alias}\n{APP}", GROWN).path).startswith("module app > ")


def test_a_function_belongs_to_the_module_of_its_globals():
    before = """
    module a -> ma; ma: module name=a; ma -[.__dict__]-> da -['handle']-> f; da: dict
    module web -> mw; mw: module name=web; mw -[.__dict__]-> dw -['handle']-> f; dw: dict
    f: function name=handle; f -[slot __globals__]-> dw; f -[.seen]-> seen; seen: list
    """
    path = the_leak(before, "seen -[#]-> s#; s#: web.Session birth=#").path
    assert read(path) == "module web > handle: function > .seen: list > [*]: Session"


def test_the_application_beats_an_installed_library_and_that_the_standard_library():
    def starts_at(*modules: str) -> str:
        roots = "".join(
            f"module {name} -> {name}; {name}: module name={name} at={file}; {name} -['x']-> items\n"
            for name, file in map(str.split, modules)
        )
        path = the_leak(f"{roots} items: list", "items -[#]-> s#; s#: app.Session birth=#").path
        return path.root

    shop, lib, std = "shop /srv/shop.py:1", "lib /usr/lib/site-packages/lib.py:1", "queue /usr/lib/queue.py:1"
    assert [starts_at(std, lib, shop), starts_at(std, lib), starts_at(std)] == [
        "module shop",
        "module lib",
        "module queue",
    ]


def test_a_path_does_not_run_through_another_module():
    before = f"""
    module shop -> shop; shop: module name=shop; shop -['app']-> m
    {APP}
    """
    assert read(the_leak(before, GROWN).path).startswith("module app > ")


def test_a_cache_of_the_standard_library_with_a_bound_is_a_last_explanation():
    before = """
    module re -> re; re: module name=re; re -['_cache']-> cache; cache: dict; cache -['k']-> items
    module app -> m; m: module name=app; m -['A']-> a; a: app.A; a -[.b]-> b; b: app.B; b -[.items]-> items
    items: list
    """
    assert read(the_leak(before, GROWN).path).startswith("module app > A")


def test_function_globals_and_classes_are_detours():
    before = """
    module app -> m; m: module name=app; m -['f']-> f; f: function name=f; f -[slot __globals__]-> g; g: dict
    g -['STORE']-> items; items: list
    m -['A']-> a; a: app.A; a -[.b]-> b; b: app.B; b -[.c]-> c; c: app.C; c -[.items]-> items
    """
    assert (
        read(the_leak(before, GROWN).path)
        == "module app > A: A > .b: B > .c: C > .items: list > [*]: Session"
    )


def test_a_weak_reference_carries_no_path():
    before, after = (
        heap("module app -> m; m -[~]-> w; root -> w"),
        heap("module app -> m; m -[~]-> w; root -> w"),
    )
    reach = reached(before, after)
    assert reach.root_labels[int(reach.paths.root[after["w"]])] == "root"


def test_type_machinery_carries_a_path_only_where_nothing_else_does():
    graph = heap(
        "module app -> m; m -[machinery __mro__]-> a; m -[.b]-> b; b -[.a]-> a; m -[machinery __base__]-> c"
    )
    reach = reached(graph, graph)
    distances = {name: int(reach.paths.distance[graph[name]]) for name in "abc"}
    assert [distances["a"] < LAST_RESORT, distances["c"] >= LAST_RESORT] == [True, True]


def test_nothing_of_leakscan_is_on_a_path():
    before = f"own thread sampler -> f; f -[local x]-> items; f: flags=own\n{APP}"
    assert found(before, GROWN).leaks[0].also_held_by == ()


def test_what_only_leakscan_holds_is_no_survivor():
    before = "own thread sampler -> f; f: flags=own; module app -> m; m: module name=app"
    assert found(before, "f -[local x]-> s#; s#: app.Session birth=#").survivor_count == 0


def test_a_local_of_a_running_frame_holds():
    before = """
    thread MainThread -> f; f: <frame> name=serve at=/srv/app.py:31 flags=synthetic
    f -[local seen]-> seen; seen: list
    """
    path = the_leak(before, "seen -[#]-> s#; s#: app.Session birth=#").path
    assert read(path) == "thread 'MainThread' > running frame: <frame> > local `seen`: list > [*]: Session"


def test_a_suspended_coroutine_says_where_it_waits():
    before = """
    module app -> m; m: module name=app; m -['TASK']-> task; task: _asyncio.Task name=Task-1
    task -[slot _coro]-> serve; serve: coroutine name=serve at=/srv/app.py:8
    serve -[await cr_await]-> read; read: coroutine name=read at=/srv/app.py:20
    read -[local seen]-> seen; seen: list
    """
    path = the_leak(before, "seen -[#]-> s#; s#: app.Session birth=#").path
    assert [(step.reference, step.name, step.line) for step in path.steps[1:4]] == [
        ("._coro", "serve", 8),
        (".cr_await", "read", 20),
        ("local `seen`", "", 0),
    ]


def test_a_closure_reads_as_one_step():
    before = "module app -> m; m: module name=app; m -['HANDLERS']-> hs; hs: list"
    grown = """
    hs -[#]-> f#; f#: function name=on_chunk birth=#; f# -[slot __closure__]-> t#; t#: tuple birth=#
    t# -[0]-> c#; c#: cell name=output birth=#; c# -[slot cell_contents]-> o#; o#: app.Output birth=# size=500
    """
    path = the_leak(before, grown).path
    assert read(path) == "module app > HANDLERS: list > [*]: function > closure `output`: Output"


def test_a_bound_method_has_the_name_of_its_function():
    before = """
    module app -> m; m: module name=app; m -['HANDLERS']-> hs; hs: list
    fn: function name=X.on_chunk; m -[.fn]-> fn
    """
    grown = """
    hs -[#]-> b#; b#: method birth=#; b# -[slot __func__]-> fn
    b# -[slot __self__]-> x#; x#: app.X birth=# size=90
    """
    path = the_leak(before, grown).path
    assert [(step.reference, step.name) for step in path.steps[1:]] == [
        ("[*]", "X.on_chunk"),
        (".__self__", ""),
    ]


def test_a_cell_between_a_frame_and_its_local_is_not_shown():
    before = """
    thread T -> f; f: <frame> name=serve flags=synthetic; f -[local seen]-> cell; cell: cell
    cell -[slot cell_contents]-> seen; seen: list
    """
    path = the_leak(before, "seen -[#]-> s#; s#: app.Session birth=#").path
    assert [step.reference for step in path.steps] == ["running frame", "local `seen`", "[*]"]


def test_every_independent_reason_is_told():
    before = f"""{APP} m -['LAST']-> last; last: set
    m -['BUS']-> bus; bus: app.Bus; bus -[.handlers]-> handlers; handlers: dict
    """
    grown = f"{GROWN}; handlers -['h#']-> s#; last -[{{}}]-> s#"
    leak = the_leak(before, grown)
    assert [read(path) for path in (leak.path, *leak.also_held_by)] == [
        "module app > LAST: set > {...}: Session",
        "module app > BUS: Bus > .handlers: dict > ['h*']: Session",
        "module app > STORE: Store > .items: list > [*]: Session",
    ]


def test_a_reason_through_another_new_object_is_found():
    before = f"{APP} m -['TASKS']-> tasks; tasks: list"
    grown = f"{GROWN} size=100; tasks -[#]-> t#; t#: tuple birth=#; t# -[0]-> s#"
    leak = the_leak(before, grown)
    assert {read(path) for path in (leak.path, *leak.also_held_by)} == {
        "module app > STORE: Store > .items: list > [*]: Session",
        "module app > TASKS: list > [*]: tuple > [*]: Session",
    }


def test_more_reasons_than_the_limit_are_counted():
    lists = ";".join(f"m -['L{letter}']-> l{letter}; l{letter}: list" for letter in "abcdefghijkl")
    grown = f"{GROWN};" + ";".join(f"l{letter} -[#]-> s#" for letter in "abcdefghijkl")
    findings = found(f"{APP}{lists}", grown)
    assert [len(findings.leaks[0].also_held_by), findings.omitted] == [
        7,
        (f"5 more paths for leak {findings.leaks[0].signature}",),
    ]


def test_an_unexplained_count_holds_where_nothing_else_does():
    leak = the_leak("module app -> m; m: module name=app", "s#: app.Session birth=# refcount=1")
    assert read(leak.path) == "held from C > <held from C>: Session"


def test_an_unexplained_count_is_no_reason_beside_a_real_one():
    assert the_leak(APP, f"{GROWN} refcount=+1").path.root == "module app"


def test_what_nothing_holds_is_garbage_and_no_leak():
    findings = found(APP, "a#: app.Node birth=#; b#: app.Node birth=#; a# -> b#; b# -> a#")
    assert (findings.leaks, findings.garbage_count, findings.verdict) == ((), 2 * RUNS, "garbage")


def test_a_table_that_is_weak_by_key_says_why_it_holds():
    before = """
    module app -> m; m: module name=app; m -['SEEN']-> w; w: weakref:WeakKeyDictionary
    w -[.data]-> data; data: dict
    """
    grown = """
    data -[key '<weakref>']-> k#; k#: weakref:ReferenceType birth=#; k# -[~]-> s#
    data -[<ReferenceType>]-> v#; v#: app.Extra birth=#; v# -[.owner]-> s#; s#: app.Session birth=# size=900
    """
    leak = the_leak(before, grown)
    assert leak.path.steps[0].note == "weak by key, but a value keeps its own key alive"


def test_a_linked_list_is_written_once():
    links = "".join(f"n{at} -[.next]-> n{at + 1}; n{at}: app.Node birth=0;" for at in range(40))
    before = f"module app -> m; m: module name=app; m -['HEAD']-> n0; {links} n40: list birth=0"
    path = the_leak(before, "n40 -[#]-> s#; s#: app.Session birth=#").path
    assert [(step.reference, step.note) for step in path.steps] == [
        ("HEAD", "born before the runs"),
        (".next", "and 37 more like it"),
        (".next", ""),
        (".next", "0 -> 6 entries"),
        ("[*]", "1 per run"),
    ]


def test_each_reference_of_a_path_is_in_the_heap():
    before = heap(APP)
    after = heap(f"{APP}\n{each_run(GROWN)}")
    for group in groups(before, after):
        for slot in group.slots:
            held = {ref for holder in slot.holders.tolist() for ref in after.references(holder)}
            assert len(slot.refs) and set(slot.refs.tolist()) <= held


def test_a_hostile_key_cannot_move_the_cursor():
    before = (
        "module app -> m; m: module name=app; m -['S']-> s; s: dict; s -['\x1b[31m\u202e']-> old; old: list"
    )
    path = the_leak(before, "old -[#]-> n#; n#: app.Session birth=#").path
    assert path.steps[1].reference == "['\\x1b[31m\\u202e']"


def test_every_survivor_is_reached_by_its_own_search():
    before, after = heap(APP), heap(f"{APP}\n{each_run(GROWN)}")
    reach = reached(before, after)
    assert all(reach.paths.distance[obj] != NO for obj in reach.survivors.objects)


def test_generated_names_lose_what_was_generated():
    names = ["run-17", "0x7f3a", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "deadbeef42", "handlers", "decade"]
    assert [normalised(name) for name in names] == ["run-*", "*", "*", "*", "handlers", "decade"]


def test_a_key_that_may_be_an_address_is_not_written():
    before = (
        "module app -> m; m: module name=app; m -['D']-> d; d: dict; d -[int 94721074612832]-> old; old: list"
    )
    path = the_leak(before, "old -[#]-> n#; n#: app.Session birth=#").path
    assert path.steps[1].reference == "[*]"


def test_the_driver_is_a_last_way_in():
    before = """
    module __main__ -> driver; driver: module name=__main__ at=/x/leakscan/record/driver.py:1
    driver -['event_loop']-> loop; loop: asyncio.Loop; loop -[.ready]-> items
    module queue -> q; q: module name=queue; q -['a']-> qa; qa: queue.Q; qa -[.b]-> items; items: list
    """
    assert the_leak(before, GROWN).path.root == "module queue"


def test_a_path_does_not_come_to_a_module_from_anywhere():
    before = f"""
    module web -> web; web: module name=web; web -['f']-> f; f: function name=f
    f -[slot __closure__]-> t -[0]-> c -[slot cell_contents]-> m; t: tuple; c: cell name=app
    {APP}
    """
    assert read(the_leak(before, GROWN).path).startswith("module app > STORE")


def test_a_thread_local_reads_as_one_step():
    before = """
    module app -> m; m: module name=app; m -['LOCAL']-> local; local: _thread._local
    local -[slot values by thread]-> by; by: dict; by -[<ReferenceType>]-> d; d: dict
    d -['seen']-> seen; seen: list
    """
    path = the_leak(before, "seen -[#]-> n#; n#: app.Session birth=#").path
    assert read(path) == "module app > LOCAL: _local > thread local `seen`: list > [*]: Session"


def test_a_context_variable_reads_as_one_step_however_many_there_are():
    def path_with(*nodes: str) -> str:
        trie = " ".join(f"-[{at}]-> {node}" for at, node in enumerate(nodes, 1))
        kinds = ";".join(f"{node}: hamt_bitmap_node" for node in nodes)
        before = f"""
        interpreter 'context' -> c; c: _contextvars.Context
        c -[slot variables]-> h; h: hamt; h -[slot root]-> r {trie}
        r: hamt_array_node; {kinds}; {nodes[-1] if nodes else "r"} -[context trace]-> seen; seen: list
        """
        return read(the_leak(before, "seen -[#]-> n#; n#: app.Session birth=#").path).partition(" > ")[2]

    assert (
        path_with()
        == path_with("x")
        == path_with("x", "y")
        == "holds: Context > context `trace`: list > [*]: Session"
    )
