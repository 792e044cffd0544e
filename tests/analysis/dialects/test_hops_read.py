"""How one step of a path reads: names of the source as they are, data not at all."""

from __future__ import annotations

import pytest

from drawn_leaks import read, the_leak

APP = "module app -> m; m: module name=app; m -['BY_ID']-> table; table: dict"


@pytest.mark.parametrize(("key", "reads"), [("14000000000", "[14000000000]"), ("140000000000", "[*]")])
def test_an_integer_key_as_long_as_an_address_is_not_written(key: str, reads: str):
    old = f"{APP}; table -[int {key}]-> queue; queue: list"
    path = the_leak(old, "queue -[#]-> s#; s#: app.Session birth=#").path
    assert read(path) == f"module app > BY_ID: dict > {reads}: list > [*]: Session"
