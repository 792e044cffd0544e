from __future__ import annotations

from heaps import heap
from leakscan.analysis.births.earlier import Earlier
from leakscan.analysis.births.survivors import find_survivors


def test_an_object_born_in_a_run_is_a_survivor():
    before, after = heap("root -> a"), heap("root -> a, b; b: birth=3")
    assert after.spell(find_survivors(before, after).objects) == ["b"]


def test_an_object_of_the_baseline_is_none():
    before, after = heap("root -> a; a: birth=0"), heap("root -> a, b; b: birth=1")
    assert "a" not in after.spell(find_survivors(before, after).objects)


def test_the_baseline_tells_a_recycled_block_with_another_type_as_new():
    before = heap("root -> a; a: list addr=0x500 birth=0")
    after = heap("root -> b, c; b: dict addr=0x500 birth=0; c: birth=1 addr=0x900")
    assert after.spell(find_survivors(before, after).objects) == ["b", "c"]


def test_a_block_that_held_nothing_in_the_baseline_is_new_without_a_birth():
    before, after = heap("root -> a; a: birth=0"), heap("root -> a, b, c; b: birth=0; c: birth=2")
    survivors = find_survivors(before, after)
    assert dict(zip(after.spell(survivors.objects), survivors.births.tolist(), strict=True)) == {
        "b": 0,
        "c": 2,
    }


def test_what_was_born_while_leakscan_waited_is_new_and_of_no_run():
    before = heap("root -> a; a: list addr=0x500 birth=0")
    after = heap("root -> b, c; b: list addr=0x500 birth=waiting; c: birth=2")
    survivors = find_survivors(before, after)
    assert dict(zip(after.spell(survivors.objects), survivors.births.tolist(), strict=True)) == {
        "b": 0,
        "c": 2,
    }


def test_what_was_born_while_leakscan_waited_for_the_earlier_snapshot_was_there():
    before = heap("root -> a; a: list addr=0x500 birth=waiting")
    after = heap("root -> a, b; a: list addr=0x500 birth=waiting; b: list addr=0x600 birth=waiting")
    assert after.spell(find_survivors(before, after).objects) == ["b"]


def test_objects_of_leakscan_are_never_survivors():
    before = heap("root -> a")
    after = heap("root -> a, b, c; b: birth=own; c: birth=2 flags=own")
    assert len(find_survivors(before, after)) == 0


def test_a_running_frame_is_a_root_and_no_survivor():
    thread = "root -> a; thread T -> f; f: <frame> flags=synthetic"
    assert len(find_survivors(heap(thread), heap(f"{thread} birth=2"))) == 0


def test_the_frames_of_a_new_thread_are_new():
    before = heap("root -> a; thread T -> f; f: <frame> flags=synthetic birth=0")
    after = heap("""
    root -> a; thread T -> f; f: <frame> flags=synthetic birth=0
    thread U -> g; g: <frame> flags=synthetic; g -[frame f_back]-> h; h: <frame> flags=synthetic
    """)
    assert after.spell(find_survivors(before, after).objects) == ["g", "h"]


def test_without_births_address_and_type_decide_and_the_answer_says_so():
    before = heap("root -> a, b; a: addr=0x100; b: list addr=0x200")
    after = heap("root -> a, b, c; a: addr=0x100; b: dict addr=0x200; c: addr=0x300")
    survivors = find_survivors(before, after)
    assert (after.spell(survivors.objects), survivors.identity) == (["b", "c"], "address, approximate")


def test_v8_nodes_with_ids_above_all_of_the_baseline_are_new():
    before = heap("root -> a, b; a: addr=0x11; b: addr=0x31", runtime="v8")
    after = heap("root -> a, c, d; a: addr=0x11; c: addr=0x21; d: addr=0x41", runtime="v8")
    survivors = find_survivors(before, after)
    assert (after.spell(survivors.objects), survivors.identity) == (["d"], "node id")


def test_an_address_above_44_bits_is_told_from_one_below():
    before = heap("root -> a; a: addr=0x7f0000000010 birth=0")
    after = heap("root -> a, b; a: addr=0x7f0000000010 birth=0; b: addr=0x0f0000000010 birth=0")
    assert after.spell(find_survivors(before, after).objects) == ["b"]


def test_without_births_a_recycled_address_is_told_by_its_neighbours():
    before = heap("""
    root -> old, pool; old: list addr=0x100; old -[0]-> a; a: app.Session addr=0x500
    pool: list addr=0x200
    """)
    after = heap("""
    root -> old, pool; old: list addr=0x100; pool: list addr=0x200
    pool -[0]-> b; b: app.Session addr=0x500
    """)
    assert after.spell(find_survivors(before, after).objects) == ["b"]


def test_without_births_an_object_that_only_moved_keeps_its_own():
    before = heap("""
    root -> old, pool; old: list addr=0x100; old -[0]-> a; a: app.Session addr=0x500
    pool: list addr=0x200; a -[.data]-> data; data: dict addr=0x600
    """)
    after = heap("""
    root -> old, pool; old: list addr=0x100; pool: list addr=0x200
    pool -[0]-> a; a: app.Session addr=0x500; a -[.data]-> data; data: dict addr=0x600
    """)
    assert after.spell(find_survivors(before, after).objects) == []


def test_an_object_that_was_given_another_class_is_the_old_one():
    before = heap("root -> a, m; a: app.Row addr=0x500 birth=0; m: module addr=0x700 birth=0")
    after = heap(
        "root -> a, m, t; a: app.NewRow addr=0x500 birth=0; m: app.Lazy addr=0x700 birth=0; t: list birth=2"
    )
    assert after.spell(find_survivors(before, after).objects) == ["t"]
    earlier = Earlier(before, after)
    assert [earlier.of(after["a"]), earlier.of(after["m"])] == [before["a"], before["m"]]


def test_without_births_another_class_at_an_address_is_another_object():
    before = heap("root -> a; a: app.Row addr=0x500")
    after = heap("root -> a; a: app.RowOfToday addr=0x500")
    assert after.spell(find_survivors(before, after).objects) == ["a"]
    assert Earlier(before, after).of(after["a"]) is None


def test_a_block_that_was_handed_out_again_is_another_object_whatever_its_class():
    before = heap("root -> a; a: app.Row addr=0x500 birth=0")
    after = heap("root -> a; a: app.RowOfToday addr=0x500 birth=3")
    assert after.spell(find_survivors(before, after).objects) == ["a"]
    assert Earlier(before, after).of(after["a"]) is None
