"""Session maps: which layer is enough for which end of a session, and what it takes from sessions in use."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from seeds_maps import asked, disagreement  # noqa: E402  (found only with the tools on the path)
from seeds_measure import measure  # noqa: E402

ENDINGS = tomllib.loads((ROOT / "fixtures" / "session_maps" / "layers.toml").read_text())["ending"]
# Each is a capture of a second or so: all of them only when asked for (`make seeds-all`).
WHICH = "verdicts" if os.environ.get("LEAKSCAN_SEEDS") == "all" else "fast"
CASES = [(ending, layers) for ending in ENDINGS for layers in ending[WHICH]]


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    # measure() changes both; what was there comes back after the test
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("SESSION_LAYERS", "")


@pytest.mark.parametrize(
    ("ending", "layers"), CASES, ids=[f"{ending['target']}-{layers}" for ending, layers in CASES]
)
def test_a_session_that_ended_this_way_is_judged_as_expected(ending, layers):
    assert disagreement(ending, layers, measure(asked(ending, layers))) == ""


def test_the_bound_of_a_full_map_is_named():
    idle = next(ending for ending in ENDINGS if ending["target"].endswith(":idle"))
    assert "bound 8 visible, full" in measure(asked(idle, "lru")).findings.headline


@pytest.mark.parametrize(
    ("layers", "broken"),
    [
        ("", []),
        ("ttl", ["returns_late"]),
        ("lru", ["many_at_once"]),
        ("in_finally,at_exit", []),
        ("ttl,lru,in_finally,at_exit", ["many_at_once", "returns_late"]),
    ],
)
def test_a_layer_takes_sessions_that_are_still_in_use(layers, broken):
    from session_maps.contract import broken_by
    from session_maps.maps import Layers

    assert sorted(broken_by(Layers.named(layers))) == broken
