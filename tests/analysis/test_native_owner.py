"""Native blocks that go on growing are laid at the door of the leak that can account for them."""

from __future__ import annotations

from dataclasses import replace

from findings_samples import MODEL_OUTPUT
from leakscan.analysis.ledger.native_owner import NOBODY_KNOWS, with_native_owner
from leakscan.analysis.results.findings import Verdict
from leakscan.analysis.results.memory import MemoryLedger, MemoryRow, MemoryVerdict

CLIENTS = replace(MODEL_OUTPUT, signature="c11e4701", count=20, native_types=(("ssl.SSLContext", 20),))
PARSERS = replace(CLIENTS, signature="ba55e5ab", native_types=(("lxml.etree.Parser", 40),))


def ledger(*, grown: int = 17_000_000, goes_on: bool = True) -> MemoryLedger:
    rows = (MemoryRow("native", 0, grown, grown / 20, goes_on),)
    return MemoryLedger(
        MemoryVerdict.NATIVE, ("native",), 20, 0, grown, rows, 0, "glibc", 0, 0, (NOBODY_KNOWS,)
    )


def test_they_go_with_the_one_leak_that_has_objects_of_a_compiled_module():
    leaks, memory = with_native_owner([MODEL_OUTPUT, CLIENTS], ledger())
    assert [leak.native_bytes for leak in leaks] == [0, 17_000_000]
    assert NOBODY_KNOWS not in memory.advice
    assert "c11e4701" in memory.advice[0]


def test_of_two_that_could_none_is_blamed_and_both_are_named():
    leaks, memory = with_native_owner([CLIENTS, PARSERS], ledger())
    assert [leak.native_bytes for leak in leaks] == [0, 0]
    assert all(leak.signature in memory.advice[0] for leak in leaks)
    assert memory.advice[1] == NOBODY_KNOWS


def test_python_objects_are_never_blamed():
    assert with_native_owner([MODEL_OUTPUT], ledger()) == ((MODEL_OUTPUT,), ledger())


def test_growth_that_stops_and_what_is_no_leak_are_left_alone():
    assert with_native_owner([CLIENTS], ledger(goes_on=False)) == ((CLIENTS,), ledger(goes_on=False))
    bounded = replace(CLIENTS, verdict=Verdict.BOUNDED)
    assert with_native_owner([bounded], ledger()) == ((bounded,), ledger())
    assert with_native_owner([CLIENTS], None) == ((CLIENTS,), None)
