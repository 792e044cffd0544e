"""Programs with a known answer, through the whole line: capture, snapshot, analysis.

`tests/known/expected.toml` says what each must get. One capture of 20 runs for each program.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KNOWN = Path(__file__).parent / "known"
EXPECTED = tomllib.loads((KNOWN / "expected.toml").read_text())
LEAKSCAN = Path(sys.executable).parent / "leakscan"
Findings = dict[str, Any]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the capture of each program under its name."""
    return tmp_path_factory.mktemp("known")


@pytest.fixture(scope="module")
def findings_of(directory: Path) -> Callable[[str], Findings]:
    """Findings of a program, captured on first use."""
    known: dict[str, Findings] = {}

    def find(name: str) -> Findings:
        if name not in known:
            target, capture = f"{KNOWN / name}.py:run", str(directory / name)
            run("capture", target, "--runs", "20", "--warmup", "3", "-o", capture)
            known[name] = json.loads(run("diff", capture, "--json"))
        return known[name]

    return find


def run(*arguments: str) -> str:
    done = subprocess.run([LEAKSCAN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_key(key: str) -> list[str]:
    return [name for name, expected in EXPECTED.items() if key in expected]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_verdict_is_the_expected_one(name: str, findings_of: Callable[[str], Findings]):
    expected = EXPECTED[name]["verdict"]
    assert findings_of(name)["verdict"] in ([expected] if isinstance(expected, str) else expected)


@pytest.mark.parametrize("name", with_key("type"))
def test_the_leak_is_named_after_the_right_type(name: str, findings_of: Callable[[str], Findings]):
    assert findings_of(name)["leaks"][0]["type_name"].rpartition(".")[2] == EXPECTED[name]["type"]


@pytest.mark.parametrize("name", with_key("rate"))
def test_the_rate_is_exact(name: str, findings_of: Callable[[str], Findings]):
    leak = findings_of(name)["leaks"][0]
    expected = EXPECTED[name]
    assert (leak["rate"], leak["every_run"]) == (expected["rate"], expected["every_run"])


@pytest.mark.parametrize("name", with_key("rate"))
def test_one_bug_is_one_leak(name: str, findings_of: Callable[[str], Findings]):
    assert len(findings_of(name)["leaks"]) == 1


@pytest.mark.parametrize("name", with_key("holder"))
def test_the_holder_is_the_line_to_act_on(name: str, findings_of: Callable[[str], Findings]):
    found = findings_of(name)
    holder = found["leaks"][0]["holder"]
    assert holder["label"].startswith(EXPECTED[name]["holder"])
    assert f"held by {holder['label']}" in found["headline"]
    assert Path(holder["file"]).name == f"{name}.py"


@pytest.mark.parametrize("name", with_key("cuts"))
def test_the_cut_names_every_slot_that_must_go(name: str, findings_of: Callable[[str], Findings]):
    cut = findings_of(name)["leaks"][0]["cut"]
    assert sorted(member["pattern"] for member in cut["members"]) == sorted(EXPECTED[name]["cuts"])
    assert (cut["frees"], cut["is_minimal"]) == (cut["of"], True)


@pytest.mark.parametrize("name", [name for name in with_key("rate") if "root" not in EXPECTED[name]])
def test_the_proposed_cut_frees_every_survivor(name: str, findings_of: Callable[[str], Findings]):
    cut = findings_of(name)["leaks"][0]["cut"]
    assert cut["frees"] == cut["of"] == findings_of(name)["leaks"][0]["count"]


@pytest.mark.parametrize("name", [name for name in with_key("rate") if "root" not in EXPECTED[name]])
def test_what_the_report_proposes_can_be_asked_back(
    name: str, findings_of: Callable[[str], Findings], directory: Path
):
    leak = findings_of(name)["leaks"][0]
    cuts = [word for member in leak["cut"]["members"] for word in ("--cut", member["pattern"])]
    answer = json.loads(run("whatif", str(directory / name), *cuts, "--json"))
    assert answer["frees_survivors"] >= leak["count"]
    assert answer["frees_bytes"] >= leak["cut"]["frees_bytes"]


@pytest.mark.parametrize("name", with_key("root"))
def test_what_c_holds_has_no_cut_and_says_so(name: str, findings_of: Callable[[str], Findings]):
    leak = findings_of(name)["leaks"][0]
    assert (leak["path"]["root"], leak["holder"], leak["cut"]) == (EXPECTED[name]["root"], None, None)


@pytest.mark.parametrize("name", with_key("names"))
def test_builtins_are_called_by_what_owns_them(name: str, findings_of: Callable[[str], Findings]):
    assert EXPECTED[name]["names"] in findings_of(name)["headline"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("innocent_")])
def test_innocents_give_no_leak(name: str, findings_of: Callable[[str], Findings]):
    found = findings_of(name)
    assert not [leak for leak in [*found["leaks"], *found["others"]] if leak["verdict"] == "leak"]
