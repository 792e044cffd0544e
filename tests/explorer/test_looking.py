"""What-if on one reference agrees with the search of the whole heap, whatever the graph."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from heaps import heap
from leakscan.analysis.cuts.whatif import freed_by
from leakscan.explorer.looking import Explorer
from leakscan.explorer.treemap import HEIGHT, WIDTH, treemap
from leakscan.heap.writer import write


def drawn(seed: int) -> str:
    chance = random.Random(seed)
    names = [f"o{n}" for n in range(chance.randint(2, 14))]
    rows = ["module app -> m; m: module name=app"]
    for number in range(chance.randint(1, 30)):
        start, end = chance.choice(["m", *names]), chance.choice(names)
        rows.append(f"{start} -[{chance.choice(['~', '.x', '.y', str(number)])}]-> {end}")
    rows += [f"{name}: app.Node size={chance.randint(1, 9)}" for name in names]
    return "\n".join(rows)


@pytest.mark.parametrize("seed", range(60))
def test_one_reference_frees_what_a_search_says(tmp_path: Path, seed: int):
    file = tmp_path / "x.heap"
    write(heap(drawn(seed)), file)
    explorer = Explorer([file])
    assert explorer.heap is not None
    graph, life = explorer.heap.graph, explorer.heap.life
    for ref in range(graph.reference_count):
        freed = freed_by(graph, life, np.array([ref], np.uint32), np.zeros(0, np.uint32))
        answer = explorer.cut_one(ref)
        assert (answer.frees, answer.frees_bytes) == (freed.sum(), graph.sizes[freed].sum()), (seed, ref)


def test_types_count_live_objects_and_nest_within_themselves_once(tmp_path: Path):
    write(
        heap(
            "module app -> m; m: module name=app; m -[.a]-> a; a -[.n]-> b; dead -[.x]-> dead"
            "\na: app.Node size=10; b: app.Node size=5; dead: app.Node size=100"
        ),
        tmp_path / "x.heap",
    )
    rows = {row.type_name: row for row in Explorer([tmp_path / "x.heap"]).types}
    node = rows["app.Node"]
    assert (node.count, node.shallow_bytes, node.retained_bytes) == (2, 15, 15)


@pytest.mark.parametrize("seed", range(20))
def test_tiles_fill_the_map_without_overlap(seed: int):
    chance = random.Random(seed)
    sizes = sorted((chance.randint(1, 1000) for _ in range(chance.randint(1, 40))), reverse=True)
    tiles = treemap(sizes, ["name"] * len(sizes))
    area = sum(tile.width * tile.height for tile in tiles)
    assert area == pytest.approx(WIDTH * HEIGHT, rel=0.02)
    for tile in tiles:
        assert -0.2 <= tile.x <= tile.x + tile.width <= WIDTH + 0.2
        assert -0.2 <= tile.y <= tile.y + tile.height <= HEIGHT + 0.2
    for at, one in enumerate(tiles):
        for other in tiles[at + 1 :]:
            apart_x = one.x + one.width <= other.x + 0.3 or other.x + other.width <= one.x + 0.3
            apart_y = one.y + one.height <= other.y + 0.3 or other.y + other.height <= one.y + 0.3
            assert apart_x or apart_y


def test_a_map_of_nothing_is_empty():
    assert treemap([], []) == [] and treemap([0, 0], ["a", "b"]) == []
