"""Small Node programs whose retainers are known: each kind of holder reads as its source does.

`LEAKSCAN_NODE` names other Node programs to ask, separated by `:` (npm's `node@18` and so on bring them);
without it the `node` on PATH is asked.
"""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from leakscan.analysis.cuts.whatif import what_if
from leakscan.analysis.dialects.pattern_text import parse_pattern
from leakscan.analysis.dialects.patterns import match_pattern
from leakscan.analysis.graph.garbage import liveness
from leakscan.analysis.one_snapshot import paths_to_type
from leakscan.heap.reader import load

HERE = Path(__file__).parents[1] / "known_v8"
EXPECTED = tomllib.loads((HERE / "retainers.toml").read_text())
NODES = [name for name in os.environ.get("LEAKSCAN_NODE", "node").split(":") if name]


@pytest.fixture(scope="module", params=NODES)
def heap(request, tmp_path_factory):
    node = shutil.which(request.param)
    if node is None:
        pytest.skip(f"{request.param} is not installed")
    path = tmp_path_factory.mktemp("v8") / "retainers.heapsnapshot"
    subprocess.run([node, HERE / "retainers.mjs", path], check=True)
    return load(path)


def written(path):
    steps = [
        step.reference
        + ("" if step.is_survivor else f": {step.type_name}")
        + (f" {step.name}" if step.name else "")
        for step in path.steps
    ]
    return " > ".join(steps if path.root == "globalThis" else [path.root, *steps])


@pytest.fixture(scope="module")
def paths(heap):
    """The cheapest path to the one object of each class."""
    found = {name: paths_to_type(heap, name, limit=1).groups for name in EXPECTED}
    return {name: groups[0].paths[0] for name, groups in found.items()}


@pytest.mark.parametrize("class_name", EXPECTED)
def test_what_holds_an_object_reads_as_its_source_does(paths, class_name):
    expected = EXPECTED[class_name]
    assert written(paths[class_name]) in (expected if isinstance(expected, list) else [expected])


@pytest.mark.parametrize(
    ("pattern", "freed"),
    [
        ("Workflow.#runs.get('run-17')", "InMap"),
        ("Workflow.#runs.get(*)", "ByObject"),
        ("Workflow.members.has(*)", "InSet"),
        ("Workflow['odd-name']", "ByOddName"),
        ("Workflow[Symbol(tag)]", "BySymbol"),
        ("globalThis.bus.on('chunk')", "InListener"),
        ("globalThis.bus.on('data')", "InOneOfTwoListeners"),
        ("globalThis.bus.on(*)", "InOnceListener"),
        ("globalThis.target.addEventListener('open')", "InEventTarget"),
        ("inner closure 'captured'", "InClosure"),
        ("deep closure 'outer'", "InOuterScope"),
        ("innermost local [*]", "InAsyncFunction"),
        ("globalThis.key[value in a WeakMap]", "InWeakMap"),
        ("globalThis.extras", "InWeakMap"),
        ("globalThis.settled.[[PromiseResult]]", "InPromise"),
        ("globalThis.registry", "InRegistry"),
    ],
)
def test_a_cut_written_as_the_source_frees_what_it_holds(heap, pattern, freed):
    answer = what_if(heap, liveness(heap), cut=[pattern])
    assert freed in {name for name, _, _ in answer.freed_types}


def test_a_derived_class_is_no_instance_of_its_base(heap):
    assert [group.count for group in paths_to_type(heap, "InBase").groups] == [1]


def test_a_cut_that_names_no_listener_matches_nothing(heap):
    assert len(match_pattern(heap, parse_pattern("globalThis.bus.on('nothing')"))) == 0


def test_no_path_runs_through_the_engines_own_objects(paths):
    kinds = {step.kind for path in paths.values() for step in path.steps}
    assert not kinds & {"internal", "machinery", "weak", "ephemeron"}
