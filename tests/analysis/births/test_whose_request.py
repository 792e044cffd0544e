"""What each kind of work left: of heaps whose objects carry the work that they were born in."""

from __future__ import annotations

import pytest

from heaps import heap
from leakscan.analysis.diff import diff
from leakscan.analysis.results.findings import Findings
from leakscan.analysis.results.works import WorkShare

APP = "module app -> m; m: module name=app; m -['A']-> a; a: list"


def compared(*drawn: str, before: str = "") -> Findings:
    return diff(
        heap(f"{APP}; {before}", meta={"births": True, "pid": 7}),
        heap("\n".join((APP, *drawn)), meta={"pid": 7}),
        runs=20,
    )


def one_in_each_run(text: str) -> str:
    return "\n".join(text.replace("#", str(run)) for run in range(1, 21))


def test_each_leak_says_what_every_work_left_in_it():
    sessions = one_in_each_run("a -[#]-> s#; s#: app.Session size=100 birth=# work='POST /chat'")
    texts = one_in_each_run("s# -[.text]-> t#; t#: app.Text size=10 birth=# work='GET /'")
    begun = "work 'POST /chat' begun=20; work 'GET /' begun=40; work 'GET /idle' begun=3"
    findings = compared(sessions, texts, begun)
    chat, get = WorkShare("POST /chat", 20, 20, 20, 2000), WorkShare("GET /", 40, 0, 20, 200)
    assert [leak.works for leak in findings.leaks] == [(chat, get)]
    assert findings.works == (chat, get, WorkShare("GET /idle", 3, 0, 0, 0))


def test_an_object_whose_block_is_used_again_is_born_in_the_work_of_what_holds_it():
    sessions = one_in_each_run("a -[#]-> s#; s#: app.Session birth=# work='POST /chat'")
    steps = one_in_each_run("s# -[.step]-> x#; x#: method birth=# work='GET /'")
    (leak,) = compared(sessions, steps).leaks
    assert [(share.name, share.objects) for share in leak.works] == [("POST /chat", 40)]


@pytest.mark.parametrize(("began_before", "begun"), [(5, 15), (25, 20)])
def test_works_that_began_before_the_first_snapshot_are_not_counted(began_before: int, begun: int):
    sessions = one_in_each_run("a -[#]-> s#; s#: app.Session birth=# work='POST /chat'")
    before = f"work 'POST /chat' begun={began_before}"
    (share,) = compared(sessions, "work 'POST /chat' begun=20", before=before).works
    assert share.begun == begun


def test_a_thousand_kinds_of_work_are_told_and_the_rest_is_counted():
    findings = compared(*(f"work 'GET /{at}' begun=1" for at in range(1005)))
    assert (len(findings.works), findings.omitted) == (1000, ("5 more kinds of work",))


def test_nothing_is_told_of_a_program_that_names_no_work():
    assert compared(one_in_each_run("a -[#]-> s#; s#: app.Session birth=#")).works == ()
