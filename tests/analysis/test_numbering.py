from __future__ import annotations

from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.one_snapshot import paths_to_type

OLD = """module app -> m; m -[.REG]-> reg; m: module name=app; reg: app.Reg birth=0
    reg -[.a]-> list; list: list birth=0"""
NEW = "; ".join(f"list -[{run}]-> o{run}; o{run}: app.Leak birth={run + 1} size=100" for run in range(6))


def test_the_same_object_has_the_same_number_on_every_path_and_numbers_begin_at_one():
    root = "thread main -> f; f: <frame>; f -[local reg]-> reg"
    findings = diff(heap(f"{OLD}; {root}"), heap(f"{OLD}; {root}; {NEW}"), runs=6)
    paths = [path for leak in findings.leaks for path in (leak.path, *leak.also_held_by)]
    numbers = {(step.type_name, step.object) for path in paths for step in path.steps if not step.is_new}
    assert len(dict(numbers)) == len(numbers)
    assert {step.object for path in paths for step in path.steps} >= {1, 2}


def test_numbers_do_not_depend_on_what_else_is_in_the_heap():
    more = "; ".join(f"m -['x{number}']-> x{number}; x{number}: dict" for number in range(9))
    one = paths_to_type(heap(f"{OLD}; {NEW}"), "Leak").groups[0].paths[0]
    other = paths_to_type(heap(f"{more}; {OLD}; {NEW}"), "Leak").groups[0].paths[0]
    assert [step.object for step in one.steps] == [step.object for step in other.steps]
