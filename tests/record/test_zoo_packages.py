"""Packages with C extensions, threads and stacks of their own: `--group zoo` in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo_runs import counts, load, run

PROGRAMS = {
    "numpy": (["numpy", "pandas"], "500", {"__main__.Cell": 500}),
    "sqlalchemy": (["sqlalchemy"], "100", {"__main__.Author": 100, "__main__.Book": 500}),
    "pydantic": (
        ["pydantic", "lxml", "google.protobuf"],
        "done",
        {"__main__.Machine": 200, "__main__.Part": 200, "lxml.etree._Element": 2001},
    ),
    "grpc": (["grpc"], "True", {"__main__.Stream": 8}),
    "greenlet": (["greenlet"], "done", {"__main__.Local": 3200, "greenlet.greenlet": 100}),
    "web": (["uvicorn", "httpx", "pyee"], "20", {}),
}


@pytest.mark.parametrize("package", PROGRAMS)
def test_a_program_goes_on_and_what_it_made_is_in_the_snapshot(package: str, tmp_path: Path) -> None:
    modules, answer, expected = PROGRAMS[package]
    for module in modules:
        pytest.importorskip(module)
    assert run(f"with_{package}", tmp_path) == answer
    born = counts(load(tmp_path / "after.heap"), born=1)
    assert {name: born[name] for name in expected} == expected
