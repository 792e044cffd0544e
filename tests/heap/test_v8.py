"""V8 heap snapshots read into a HeapGraph."""

import gzip
import io
import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan.analysis.births.survivors import find_survivors
from leakscan.analysis.dialects.segments import read_segments
from leakscan.analysis.graph.modules import find_modules
from leakscan.errors import SnapshotError
from leakscan.heap.kinds import Kind
from leakscan.heap.reader import load
from leakscan.heap.texts import texts_of
from leakscan.heap.writer import write
from v8_files import NODE_FIELDS, Drawing, written


def workflow():
    """A program that keeps its runs in a private Map, its listeners in an emitter, and a WeakMap."""
    d = Drawing()
    d.node("gc", "synthetic", "(GC roots)", size=0)
    d.node("handles", "synthetic", "(Global handles)", size=0)
    d.node("global", "object", "global")
    d.node("wf", "object", "Workflow", size=40, place=(7, 2))
    d.node("class", "closure", "Workflow", size=64, place=(7, 2))
    d.node("shared", "code", "(shared function info)")
    d.node("script", "code", "file:///app/flow.mjs")
    d.node("map", "object", "Map", size=32)
    d.node("table", "array", "", size=40 + 56 * 2)
    d.node("key", "string", "run-1")
    d.node("run", "object", "Run", size=24)
    d.node("small", "object", "Run", size=24)
    d.node("list", "object", "Array", size=32)
    d.node("store", "array", "(object elements)", size=48)
    d.node("fn", "closure", "onChunk", size=64, place=(7, 9))
    d.node("context", "object", "system / Context", size=40)
    d.node("shape", "object shape", "system / Map", size=80)
    d.node("wm", "object", "WeakMap", size=32)
    d.node("pairs", "array", "", size=104)
    d.node("extra", "object", "Object", size=20)
    d.node("queue", "native", "Node / CleanupQueue", size=96)
    d.node("text", "string", "x" * 500, size=520)
    d.edge("root", "element", 1, "gc")
    d.edge("root", "shortcut", "2", "global")
    d.edge("gc", "element", 1, "handles")
    d.edge("handles", "internal", "1", "queue")
    d.edge("handles", "weak", "2", "run")
    d.edge("global", "property", "wf", "wf")
    d.edge("global", "property", "Workflow", "class")
    d.edge("global", "property", "wm", "wm")
    d.edge("wf", "property", "#runs", "map")
    d.edge("wf", "property", "list", "list")
    d.edge("wf", "internal", "map", "shape")
    d.edge("class", "internal", "shared", "shared")
    d.edge("shared", "internal", "script_or_debug_info", "script")
    d.edge("shape", "internal", "prototype", "global")
    d.edge("map", "internal", "table", "table")
    d.edge("table", "internal", "5", "key")
    d.edge("table", "internal", "6", "run")
    d.edge("table", "internal", "9", "small")
    d.edge("list", "element", 0, "fn")
    d.edge("list", "internal", "elements", "store")
    d.edge("store", "internal", "0", "fn")
    d.edge("fn", "internal", "context", "context")
    d.edge("context", "context", "output", "run")
    d.edge("wm", "internal", "table", "pairs")
    d.edge("pairs", "weak", "3", "run")
    pair = f"1 / part of key (Run @{d.id('run')}) -> value (Object @{d.id('extra')}) pair in WeakMap"
    pair += f" (table @{d.id('pairs')})"
    d.edge("run", "internal", pair, "extra")
    d.edge("pairs", "internal", pair, "extra")
    d.edge("run", "property", "text", "text")
    d.edge("queue", "element", 0, "wf")
    return d


DRAWING = workflow()
CONTENT = DRAWING.content()
WHOLE = written(CONTENT)
GRAPH = load(io.BytesIO(WHOLE))


def references_of(key, graph=GRAPH, drawing=DRAWING):
    names = list(drawing.numbers)
    return [
        (graph.kind(ref).name, graph.label(ref), names[graph.ref_targets[ref]])
        for ref in graph.references(drawing.numbers[key])
    ]


def refusal(content):
    with pytest.raises(SnapshotError) as caught:
        load(io.BytesIO(content))
    assert caught.value.hint
    return caught.value.message.removeprefix("<snapshot>: ")


def test_a_node_is_an_object_with_its_id_as_address():
    assert GRAPH.addresses.tolist() == [node.id for node in DRAWING.nodes]


def test_entries_of_a_map_are_the_maps_own_and_labelled_with_their_keys():
    assert references_of("map") == [
        ("DICT", "", "table"),
        ("KEY", "run-1", "key"),
        ("KEY_STR", "run-1", "run"),
        ("KEY_OTHER", "number", "small"),
    ]
    assert references_of("table") == []


def test_a_table_that_an_iterator_shares_keeps_its_entries():
    drawing = workflow()
    drawing.node("iterator", "object", "Map Iterator")
    drawing.edge("iterator", "internal", "table", "table")
    graph = load(io.BytesIO(written(drawing.content())))
    assert references_of("iterator", graph, drawing) == [("DICT", "", "table")]
    assert [row[2] for row in references_of("table", graph, drawing)] == ["key", "run", "small"]


def used_as_map(keys, *, value="object"):
    """An object whose many properties V8 keeps in a hash table: key, value, details from word 6 on."""
    drawing = workflow()
    drawing.node("byId", "object", "Object")
    drawing.node("hash", "array", "(object properties)")
    drawing.edge("global", "property", "byId", "byId")
    drawing.edge("byId", "internal", "properties", "hash")
    for at, (key, type_name) in enumerate(keys.items()):
        drawing.node(f"key {at}", type_name, key)
        drawing.edge("hash", "internal", str(6 + 3 * at), f"key {at}")
        if value:
            drawing.node(f"value {at}", value, "Session")
            drawing.edge("byId", "property", key, f"value {at}")
            drawing.edge("hash", "internal", str(7 + 3 * at), f"value {at}")
    return drawing


def test_keys_of_an_object_used_as_a_map_are_the_objects_own_and_marked_as_keys():
    drawing = used_as_map({"a@example.org": "string", "b@example.org": "string"})
    graph = load(io.BytesIO(written(drawing.content())))
    assert references_of("byId", graph, drawing) == [
        ("DICT", "", "hash"),
        ("ATTRIBUTE", "***@example.org", "value 0"),
        ("ATTRIBUTE", "***@example.org", "value 1"),
        ("KEY", "***@example.org", "key 0"),
        ("KEY", "***@example.org", "key 1"),
    ]
    # The table lists the values again: cutting the object's own reference must be enough.
    assert [row[0] for row in references_of("hash", graph, drawing)] == ["WEAK", "WEAK"]


def test_keys_whose_values_are_small_integers_are_keys_all_the_same():
    drawing = used_as_map({"a": "string", "<symbol b>": "symbol"}, value="")
    graph = load(io.BytesIO(written(drawing.content())))
    assert [row[0] for row in references_of("byId", graph, drawing)] == ["DICT", "KEY", "KEY"]
    assert references_of("hash", graph, drawing) == []


def test_what_else_a_store_of_properties_refers_to_is_no_key():
    drawing = used_as_map({"a": "string"})
    drawing.node("hidden", "object", "Hidden")
    drawing.edge("hash", "internal", "9", "hidden")
    drawing.edge("hash", "internal", "owner", "key 0")
    graph = load(io.BytesIO(written(drawing.content())))
    kinds = [row for row in references_of("hash", graph, drawing) if row[0] != "WEAK"]
    assert kinds == [("INDEX", "9", "hidden"), ("SLOT", "owner", "key 0")]


def test_private_fields_keep_their_hash_sign():
    assert ("ATTRIBUTE", "#runs", "map") in references_of("wf")


def test_closure_variables_are_named_behind_a_folded_context():
    assert references_of("fn") == [("DICT", "", "context")]
    assert references_of("context") == [("CLOSURE", "output", "run")]


def test_a_suspended_function_has_its_functions_name_and_numbered_registers():
    drawing = workflow()
    drawing.node("generator", "object", "Generator")
    drawing.node("registers", "array", "")
    drawing.node("reaction", "hidden", "system / PromiseReaction")
    drawing.edge("generator", "internal", "function", "fn")
    drawing.edge("generator", "internal", "parameters_and_registers", "registers")
    drawing.edge("registers", "internal", "1", "run")
    drawing.edge("reaction", "hidden", 3, "generator")
    graph = load(io.BytesIO(written(drawing.content())))
    assert references_of("registers", graph, drawing) == [("STACK", "1", "run")]
    assert references_of("reaction", graph, drawing) == [("SLOT", "[[PromiseReaction]]", "generator")]
    assert graph.name_of(drawing.numbers["generator"]) == "onChunk"


def test_hidden_classes_never_carry_a_path():
    assert references_of("shape") == [("INTERNAL", "prototype", "global")]
    assert ("INTERNAL", "map", "shape") in references_of("wf")


def test_the_value_of_a_weak_map_is_held_by_its_key_and_not_by_the_table():
    assert references_of("run")[0] == ("ELEMENT", "[value in a WeakMap]", "extra")
    assert [row[0] for row in references_of("pairs")] == ["WEAK", "EPHEMERON"]


def test_bookkeeping_lists_do_not_hold_what_they_list():
    assert references_of("queue") == [("WEAK", "", "wf")]


def test_the_cell_of_a_global_holds_only_what_the_global_object_does_not_list():
    drawing = workflow()
    drawing.node("cell", "hidden", "system / PropertyCell")
    drawing.node("accessor", "hidden", "system / AccessorInfo")
    drawing.edge("cell", "internal", "value", "wf")
    drawing.edge("cell", "internal", "value", "accessor")
    graph = load(io.BytesIO(written(drawing.content())))
    assert references_of("cell", graph, drawing) == [("WEAK", "", "wf"), ("INTERNAL", "value", "accessor")]


def test_an_array_holds_its_items_once_although_its_store_lists_them_too():
    assert references_of("list") == [("INDEX", "0", "fn"), ("DICT", "", "store")]
    assert references_of("store") == [("WEAK", "", "fn")]


def test_references_out_of_synthetic_nodes_are_roots_unless_weak():
    names = list(DRAWING.numbers)
    rows = [
        (GRAPH.root_kind(i).name, GRAPH.root_label(i), names[GRAPH.roots.targets[i]])
        for i in range(len(GRAPH.roots))
    ]
    assert rows == [
        ("STATIC_TYPE", "globalThis", "gc"),
        ("MODULE", "globalThis", "global"),
        ("STATIC_TYPE", "(GC roots)", "handles"),
        ("INTERPRETER", "(Global handles)", "queue"),
        ("STATIC_TYPE", "", "root"),
    ]
    assert references_of("gc") == []


def test_classes_of_the_program_are_told_from_builtin_ones_by_their_script():
    modules = {
        name: GRAPH.strings[int(GRAPH.types.modules[row])] for row, name in enumerate(GRAPH.type_names)
    }
    assert (modules["Workflow"], modules["Map"]) == ("", "builtins")
    assert GRAPH.types.objects[GRAPH.type_names.index("Workflow")] == DRAWING.numbers["class"]


def test_places_have_the_name_of_their_script():
    place = GRAPH.location_of(DRAWING.numbers["fn"])
    assert (place.file, place.line, GRAPH.name_of(DRAWING.numbers["fn"])) == ("/app/flow.mjs", 10, "onChunk")


def test_sizes_of_backing_stores_belong_to_their_owner_and_the_sum_stays():
    sizes = dict(zip(DRAWING.numbers, GRAPH.sizes.tolist(), strict=True))
    assert (sizes["map"], sizes["table"]) == (32 + 152, 0)
    assert sum(sizes.values()) == sum(node.size for node in DRAWING.nodes)


def test_contents_of_strings_are_cut_and_names_are_not():
    kept = {GRAPH.strings[i] for i in range(len(GRAPH.strings))}
    assert "x" * 120 + "..." in kept and "x" * 500 not in kept


def test_the_first_string_is_empty_whatever_the_file_says():
    graph = load(io.BytesIO(written(DRAWING.content(dummy="Run"))))
    assert graph.strings[0] == ""
    assert graph.type_name(DRAWING.numbers["run"]) == "Run"


@pytest.mark.parametrize(
    "fields",
    [NODE_FIELDS[:6], NODE_FIELDS[:5], [*NODE_FIELDS[:5], "detachedness"], ["future", *NODE_FIELDS[::-1]]],
    ids=["without detachedness", "Node 24", "Node 24 with detachedness", "another order"],
)
def test_fields_are_found_by_name_not_by_position(fields):
    graph = load(io.BytesIO(written(DRAWING.content(node_fields=fields))))
    assert [references_of(key, graph) for key in DRAWING.numbers] == [
        references_of(key) for key in DRAWING.numbers
    ]


def test_a_gzipped_snapshot_reads_the_same(tmp_path):
    path = tmp_path / "one.heapsnapshot.gz"
    path.write_bytes(gzip.compress(WHOLE))
    assert load(path).ref_targets.tolist() == GRAPH.ref_targets.tolist()


def test_spaces_and_escapes_are_json(tmp_path):
    content = json.loads(WHOLE)
    content["strings"][1:3] = ["", 'a"\\\n\u00e9\u20ac\U0001f600\ud800']
    text = json.dumps(content, indent=1, ensure_ascii=True)
    graph = load(io.BytesIO(text.encode()))
    assert graph.strings[2] == 'a"\\\n\u00e9\u20ac\U0001f600?'


def test_a_v8_heap_can_be_written_in_our_own_format(tmp_path):
    path = tmp_path / "v8.heap"
    write(GRAPH, path)
    graph = load(path)
    assert (graph.runtime, references_of("map", graph)) == ("v8", references_of("map"))


def test_a_snapshot_cut_anywhere_is_refused():
    for length in range(2, len(WHOLE) - 1):
        refusal(WHOLE[:length])


def test_a_gzipped_snapshot_cut_anywhere_is_refused():
    packed = gzip.compress(WHOLE)
    for length in range(2, len(packed) - 8, 7):
        refusal(packed[:length])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["nodes"].__setitem__(0, 99), "the unknown node type 99 in `nodes`"),
        (lambda c: c["nodes"].__setitem__(1, 10**6), "the name 1000000, beyond the strings there are"),
        (lambda c: c["nodes"].__setitem__(4, 9), "edge counts that do not add up"),
        (lambda c: c["nodes"].append(1), "a last record that lacks fields"),
        (lambda c: c["nodes"].extend([0] * 7), "more than the 23 records announced in `nodes`"),
        (lambda c: c["nodes"].__delitem__(slice(-7, None)), "only 22 of the 23 records announced in `nodes`"),
        (lambda c: c["nodes"].__setitem__(3, -5), "a number that is negative"),
        (lambda c: c["nodes"].__setitem__(3, 1.5), "a number that is negative, fractional"),
        (lambda c: c["nodes"].__setitem__(3, 10**30), "a number that is negative, fractional or too large"),
        (lambda c: c["edges"].__setitem__(0, 99), "the unknown edge type 99 in `edges`"),
        (lambda c: c["edges"].__setitem__(2, 3), "a reference to record 3, which is no node in `edges`"),
        (lambda c: c["edges"].__setitem__(2, 7000), "a reference to record 7000, which is no node"),
        (lambda c: c.pop("strings"), "truncated at byte"),
        (lambda c: c["snapshot"].pop("meta"), "its `meta` lacks or garbles 'meta'"),
        (lambda c: c["snapshot"]["meta"].update(node_fields=[]), "its `meta` lacks or garbles"),
        (lambda c: c["snapshot"].update(node_count=10**12), "announces 1000000000000 nodes"),
        (lambda c: c.update(nodes={}), "not the JSON of a heap snapshot"),
    ],
)
def test_files_that_contradict_themselves_are_refused(change, message):
    content = json.loads(WHOLE)
    change(content)
    assert refusal(written(content)).startswith(message)


@given(st.data())
@settings(deadline=None)
def test_random_changes_are_refused_or_give_a_graph_that_is_safe_to_follow(data):
    position = data.draw(st.integers(0, len(WHOLE) - 1))
    piece = data.draw(
        st.sampled_from([b"", b"0", b"9", b",", b"]", b'"', b"\\", b"-1", b"[", b"}", b"4294967295"])
    )
    length = data.draw(st.integers(0, 3))
    try:
        graph = load(io.BytesIO(WHOLE[:position] + piece + WHOLE[position + length :]))
    except SnapshotError:
        return
    for obj in range(graph.object_count):
        assert graph.type_name(obj) is not None
        for ref in graph.references(obj):
            assert graph.ref_targets[ref] < graph.object_count
            assert graph.label(ref) is not None


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_a_snapshot_of_node_names_the_reference_that_holds(tmp_path):
    script = tmp_path / "app.mjs"
    script.write_text("""
        import v8 from 'node:v8';
        class Run {}
        class Workflow { #runs = new Map(); start(key) { this.#runs.set(key, new Run()); } }
        globalThis.flow = new Workflow();
        flow.start('run-1'); flow.start('run-2');
        v8.writeHeapSnapshot(process.argv[2]);
    """)
    path = tmp_path / "app.heapsnapshot"
    subprocess.run(["node", str(script), str(path)], check=True)
    graph = load(path)
    (flow,) = [obj for obj in range(graph.object_count) if graph.type_name(obj) == "Workflow"]
    (runs,) = [ref for ref in graph.references(flow) if graph.label(ref) == "#runs"]
    entries = graph.references(graph.ref_targets[runs])
    assert [graph.label(ref) for ref in entries if graph.kind(ref) == Kind.KEY_STR] == ["run-1", "run-2"]
    assert graph.location_of(flow).file == str(script)


def test_elements_are_of_the_type_of_their_tag_and_detached_ones_of_another():
    drawing = Drawing()
    drawing.node("one", "native", '<div id="a">')
    drawing.node("two", "native", '<div class="b">')
    drawing.node("bare", "native", "<br>")
    drawing.node("scope", "object", "system / Context / scope @457")
    drawing.nodes[2].detachedness = 2
    graph = load(io.BytesIO(written(drawing.content())))
    assert [graph.type_name(obj) for obj in range(1, 5)] == [
        "<div>",
        "Detached <div>",
        "<br>",
        "system / Context",
    ]


def test_a_context_stands_for_the_global_object_where_the_root_does_not_refer_to_one():
    drawing = Drawing()
    drawing.node("handles", "synthetic", "(Global handles)")
    drawing.node("context", "native", "system / NativeContext / file://")
    drawing.node("window", "object", "Window")
    drawing.edge("root", "element", 1, "handles")
    drawing.edge("handles", "internal", "1", "context")
    drawing.edge("context", "internal", "global_object", "window")
    graph = load(io.BytesIO(written(drawing.content())))
    assert (graph.root_kind(1).name, graph.root_label(1)) == ("MODULE", "globalThis")


def written_leak(runs):
    """The drawn program after `runs` runs, each leaving one Run in the Map and one listener."""
    drawing = workflow()
    for run in range(runs):
        drawing.node(f"run{run}", "object", "Run", size=24)
        drawing.node(f"listener{run}", "closure", "onChunk", size=64, place=(7, 9))
        drawing.node(f"scope{run}", "object", "system / Context", size=40)
        drawing.node(f"code{run}", "code", "onChunk", size=90)
        drawing.edge("list", "element", run + 1, f"listener{run}")
        drawing.edge(f"listener{run}", "internal", "context", f"scope{run}")
        drawing.edge(f"listener{run}", "internal", "code", f"code{run}")
        drawing.edge(f"scope{run}", "internal", "previous", "context")
        drawing.edge(f"scope{run}", "context", "output", f"run{run}")
    return load(io.BytesIO(written(drawing.content())))


def test_survivors_are_the_nodes_counted_after_the_first_snapshot_but_for_the_engines():
    before, after = written_leak(0), written_leak(3)
    survivors = find_survivors(before, after)
    types = [after.type_name(obj) for obj in survivors.objects]
    # Scopes are made by the program; code the engine makes when it likes.
    assert types == ["Run", "Function", "system / Context"] * 3


def test_ids_made_from_addresses_do_not_hide_what_is_new():
    before, after = written_leak(0), written_leak(1)
    before.addresses[DRAWING.numbers["queue"]] = after.addresses[DRAWING.numbers["queue"]] = 2_054_958_624
    assert len(find_survivors(before, after)) == 3


def test_a_closure_variable_reads_as_one_step_however_far_out_its_scope():
    graph = written_leak(1)
    fn = written_numbers(1)
    refs = [
        next(ref for ref in graph.references(source) if graph.ref_targets[ref] == target)
        for source, target in [
            (fn["listener0"], fn["scope0"]),
            (fn["scope0"], fn["context"]),
            (fn["context"], fn["run"]),
        ]
    ]
    segments = read_segments(graph, find_modules(graph), refs)
    assert [segment.text for segment in segments] == ["closure `output`"]


def written_numbers(runs):
    names = [f"{name}{run}" for run in range(runs) for name in ("run", "listener", "scope", "code")]
    return {**DRAWING.numbers, **{name: len(DRAWING.numbers) + at for at, name in enumerate(names)}}


def block(*, names, filled):
    """A block's scope with these variables, of which the first `filled` hold objects, not small integers."""
    drawing = Drawing()
    drawing.node("scope", "object", "system / Context", size=40)
    drawing.node("info", "code", "system / ScopeInfo", size=40)
    drawing.edge("scope", "internal", "scope_info", "info")
    for number, name in enumerate(names):
        drawing.node(f"name {name}", "string", name)
        drawing.edge("info", "hidden", number, f"name {name}")
    for number in range(filled):
        drawing.node(f"value {number}", "object", "Run")
        drawing.edge("scope", "hidden", number, f"value {number}")
    return drawing


@pytest.mark.parametrize(
    ("names", "filled", "labels"),
    [
        (["run"], 1, ["run"]),
        (["run", "output"], 2, ["run", "output"]),
        (["run", "output"], 1, ["run or output"]),
        (["a", "b", "c"], 2, ["a or b", "b or c"]),
        ([], 1, [""]),
        ([f"v{number}" for number in range(100)], 1, [""]),
    ],
)
def test_variables_of_a_block_have_the_names_of_its_description(names, filled, labels):
    drawing = block(names=names, filled=filled)
    graph = load(io.BytesIO(written(drawing.content())))
    assert [row[1] for row in references_of("scope", graph, drawing)[1:]] == labels


def test_a_prototype_is_no_instance():
    drawing = workflow()
    drawing.node("prototype", "object", "Workflow")
    drawing.edge("class", "property", "prototype", "prototype")
    graph = load(io.BytesIO(written(drawing.content())))
    assert graph.type_name(drawing.numbers["prototype"]) == "(prototype)"
    assert graph.type_name(drawing.numbers["wf"]) == "Workflow"


def test_equal_strings_of_a_v8_heap_have_one_hash_and_nothing_but_their_length():
    drawing = Drawing()
    drawing.node("global", "object", "Object")
    drawing.edge("root", "shortcut", "global", "global")
    for number, text in enumerate(["twice", "twice", "\u00fcn\u00ef"]):
        drawing.node(f"text{number}", "string", text)
        drawing.edge("global", "property", f"text{number}", f"text{number}")
    texts = texts_of(load(io.BytesIO(written(drawing.content()))))
    assert texts.lengths.tolist() == [5, 5, 3]
    assert texts.hashes[0] == texts.hashes[1] != texts.hashes[2]
