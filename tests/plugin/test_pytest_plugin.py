"""The pytest plugin, in suites of its own: what fails, with what text, and what must stay silent."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass

import pytest

from inner_suites import OTHERS, without_plugins

pytest_plugins = ["pytester"]


@pytest.fixture
def suite(pytester):
    """Runs a test file with the plugin in a process of its own; returns pytest's result.

    Without the plugins that a test does not name in `among`: each of them is in all heaps that are measured.
    """

    def run(text: str, *arguments: str, among: tuple[str, ...] = ()) -> pytest.RunResult:
        pytester.makepyfile(test_suite=text)
        return pytester.runpytest_subprocess("-q", *without_plugins(*among), *arguments)

    return run


MARKED = {
    "leaking": """
import pytest

class Session:
    pass

KEPT = []

@pytest.mark.leakscan(runs=6)
def test_leaks():
    KEPT.append(Session())
""",
    "innocent": """
import logging
import pytest

class Session:
    pass

@pytest.fixture
def store():
    return []

@pytest.mark.leakscan(runs=6)
def test_fixtures(store, capsys, caplog, tmp_path, monkeypatch, record_property):
    store.append(Session())
    print("hello")
    logging.getLogger("suite").warning("a record with %s", Session())
    record_property("name", "value")
    monkeypatch.setenv("NAME", "value")
    (tmp_path / "file").write_text("text")
    assert "hello" in capsys.readouterr().out

@pytest.mark.leakscan(runs=6)
def test_expected_exception():
    with pytest.raises(ValueError):
        raise ValueError(Session())
""",
    "warning": """
import itertools
import warnings
import pytest

numbers = itertools.count()

@pytest.mark.leakscan(runs=8)
def test_warns():
    warnings.warn(DeprecationWarning("use the other one"))
    warnings.warn_explicit(f"number {next(numbers)}", DeprecationWarning, "file.py", 3)
""",
    "recording": """
import warnings
import pytest

class Late(UserWarning):
    pass

@pytest.fixture(scope="module")
def recorded():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found

@pytest.mark.leakscan(runs=8)
def test_records(recorded):
    warnings.warn(Late("by now"))
""",
    "failing": """
import pytest

@pytest.mark.leakscan(runs=6)
def test_fails():
    assert [1, 2] == [1, 3]
""",
    "some_types": """
import pytest

class Session:
    pass

KEPT = []

@pytest.mark.leakscan(runs=6, types=["Connection"])
def test_leaks_something_else():
    KEPT.append(Session())
""",
    "unknown_word": """
import pytest

@pytest.mark.leakscan(run=6)
def test_word():
    pass

def test_another():
    pass
""",
    "unknown_mode": """
import pytest

@pytest.mark.leakscan(modes=["drop"])
def test_mode():
    pass

def test_another():
    pass
""",
    "unmarked": """
import sys

def test_plain():
    assert "leakscan.testing" not in sys.modules
""",
    "part": """
import pytest

class Session:
    pass

KEPT = []

async def leaks():
    KEPT.append(Session())

def test_part(leakscan):
    with pytest.raises(AssertionError, match="LEAK  6 Session survive 6 runs"):
        leakscan(leaks, runs=6)
""",
    "flaky": """
import pytest

CALLS = []

@pytest.mark.leakscan(runs=6)
def test_flaky():
    CALLS.append(1)
    assert len(CALLS) != 5
""",
}
"""Files of one suite, which is run once."""


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """What pytest says of each file of MARKED: how many of its tests passed and failed, and their reports."""
    folder = tmp_path_factory.mktemp("marked")
    for name, text in MARKED.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rA",
        *without_plugins(),
        *(f"test_{name}.py" for name in MARKED),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    return Told(done.stdout)


@dataclass(frozen=True)
class Told:
    """The output of a session of pytest."""

    text: str

    def outcomes(self, file: str) -> tuple[int, int]:
        """Tests of that file that passed, and that failed."""
        found = re.findall(rf"(?m)^(PASSED|FAILED) test_{file}\.py::", self.text)
        return found.count("PASSED"), found.count("FAILED")

    def report(self, test: str) -> str:
        """The section of a test's report, "" when it has none."""
        parts = re.split(r"(?m)^_{3,} (\w+) _{3,}$", self.text)
        return dict(zip(parts[1::2], parts[2::2], strict=True)).get(test, "")


def test_a_leaking_test_fails_with_the_first_screen(marked):
    assert marked.outcomes("leaking") == (0, 1)
    report = marked.report("test_leaks")
    assert "LEAK  6 Session survive 6 runs: 1 per run, every run, held by test_leaking.KEPT." in report
    assert "      To free all 6, cut  test_leaking.KEPT[*]" in report


def test_what_fixtures_and_pytest_itself_keep_is_no_leak(marked):
    assert marked.outcomes("innocent") == (2, 0)


def test_warnings_that_pytest_shows_at_the_end_are_no_leak(marked):
    assert marked.outcomes("warning") == (1, 0)


def test_warnings_that_a_test_records_for_itself_are_a_leak(marked):
    assert marked.outcomes("recording") == (0, 1)
    assert "8 Late survive 8 runs" in marked.report("test_records")


def test_a_failing_test_fails_as_it_always_did(marked):
    assert marked.outcomes("failing") == (0, 1)
    assert re.search(r"(?m)^E.*At index 1 diff: 2 != 3$", marked.report("test_fails"))


def test_the_marker_can_ask_for_some_types_only(marked):
    assert marked.outcomes("some_types") == (1, 0)


def test_an_unknown_word_in_the_marker_fails_that_test_only(marked):
    assert marked.outcomes("unknown_word") == (1, 1)
    assert "takes runs, warmup, types, modes, sites, by name" in marked.report("test_word")


def test_an_unknown_mode_fails_that_test_only(marked):
    assert marked.outcomes("unknown_mode") == (1, 1)
    assert "no mode 'drop': all, consume, abandon," in marked.report("test_mode")


def test_without_the_marker_nothing_is_measured(marked):
    assert marked.outcomes("unmarked") == (1, 0)


def test_the_fixture_measures_a_part_of_a_test(marked):
    assert marked.outcomes("part") == (1, 0)


def test_a_run_that_fails_although_the_test_passes_is_told(marked):
    assert marked.outcomes("flaky") == (1, 0)
    assert re.search(r"test_flaky: leaks were not looked for: a run failed\.", marked.text)


def test_a_whole_suite_can_be_measured_in_a_process_that_loads_no_library_of_the_analysis(suite):
    result = suite(
        """
        import sys

        class Session:
            pass

        KEPT = []

        def test_leaks():
            KEPT.append(Session())

        def test_is_fine():
            assert Session()
            assert not {"numpy", "click", "leakscan.analysis"} & set(sys.modules)
        """,
        "--leakscan",
        "--leakscan-runs",
        "6",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["LEAK  6 Session survive 6 runs*"])


def test_leaks_are_summed_up_one_by_one_and_go_into_junit_files(suite, pytester):
    result = suite(
        """
        import pytest

        class Session:
            pass

        KEPT = []

        @pytest.mark.leakscan(runs=6)
        @pytest.mark.parametrize("number", range(2))
        def test_leaks(number):
            KEPT.append(Session())

        def test_is_fine():
            pass
        """,
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(failed=2, passed=1)
    line = "*  test_suite.Session, held by test_suite.KEPT"
    result.stdout.fnmatch_lines(["*= leaks =*", f"{line}  in 2 tests, first test_suite.py::test_leaks[[]0]"])
    junit = (pytester.path / "junit.xml").read_text()
    assert junit.count('<property name="leakscan" value="') == 2


THREE_LEAKS = """
class Session:
    pass

class Other:
    pass

KEPT, NUMBERED = [], {}

def test_leaks():
    KEPT.append(Session())

def test_leaks_too():
    KEPT.append(Session())

def test_other():
    NUMBERED[len(NUMBERED)] = Other()
"""


def test_a_baseline_that_a_session_wrote_makes_its_leaks_known(suite, pytester):
    result = suite(THREE_LEAKS, "--leakscan", "--leakscan-write-baseline=known.toml")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*known.toml: 2 leaks known, until *; fill in the reasons"])
    file = pytester.path / "known.toml"
    file.write_text(file.read_text().replace('reason = ""', 'reason = "mended in 2.0"', 1))
    result = suite(THREE_LEAKS, "--leakscan", "--leakscan-baseline=known.toml")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*known: mended in 2.0  in *"])


def test_pyproject_says_what_is_allowed_and_check_reads_the_same_words(suite, pytester):
    pytester.makepyprojecttoml('[tool.leakscan.check]\nbudget = ["Session=1", "Other=1"]\n')
    suite(THREE_LEAKS, "--leakscan").assert_outcomes(passed=3)
    pytester.makepyprojecttoml(
        '[tool.leakscan.check]\nbudget = ["Session=1"]\n[tool.leakscan.pytest]\nbudget = ["Other=1"]\n'
    )
    suite(THREE_LEAKS, "--leakscan").assert_outcomes(passed=1, failed=2)


def test_a_budget_of_an_unknown_type_fails_the_session_with_the_nearest_name(suite):
    result = suite("def test_it():\n    pass", "--leakscan", "--leakscan-budget=OrdredDict=1")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["error: budget OrdredDict: no object has *", "hint: nearest: OrderedDict"])


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--leakscan-baseline=none.toml", "*cannot read *none.toml*"),
        ("--leakscan-budget=Session", "*not a budget: 'Session'*"),
    ],
)
def test_what_is_wrong_with_an_option_is_told_once_before_all_tests(suite, option: str, told: str):
    result = suite("def test_it():\n    pass", "--leakscan", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])


def test_what_a_test_leaves_like_another_is_not_measured_again(suite):
    result = suite(
        """
        import pytest

        class Session:
            def __init__(self):
                self.itself = self

        KEPT, CALLS = [], []

        @pytest.mark.parametrize("number", [1, 2])
        def test_leaks(number):
            CALLS.append(number)
            KEPT.append(Session())

        def test_fewer_runs():
            assert CALLS.count(2) < CALLS.count(1)
        """,
        "--leakscan",
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "Measured in test_suite.py::test_leaks[[]1]: the runs of this test leave the same *",
            "*  test_suite.Session, held by test_suite.KEPT  in 2 tests, first *[[]1]",
        ]
    )


def test_what_pytest_keeps_for_fixtures_that_are_done_is_no_leftover(suite):
    result = suite(
        """
        CALLS = []

        def test_with_a_folder(tmp_path):
            CALLS.append(1)
            assert tmp_path.exists()

        def test_it_was_looked_at_only():
            assert len(CALLS) < 8
        """,
        "--leakscan",
    )
    result.assert_outcomes(passed=2)


def test_the_ordinary_run_is_one_of_those_that_are_looked_at(suite, pytester):
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            assert "page" not in item.funcargs
            return report
        """
    )
    result = suite(
        """
        import pytest

        class Session:
            pass

        KEPT, CALLS = [], []

        def called(name):
            CALLS.append(name)
            return CALLS.count(name)

        @pytest.fixture
        def store():
            return [Session()]

        def test_first(store):
            called("first")

        def test_nothing(store):
            called("nothing")

        def test_prints():
            print("hello", called("prints"))

        def test_every_second_run():
            if called("second") % 2 == 0:
                KEPT.append(Session())

        def test_the_other_second_run():
            if called("other") % 2 == 1:
                KEPT.append(Session())

        def test_skipped_at_last():
            if called("skipped") == 2:
                KEPT.append(Session())
                pytest.skip("no more")

        def test_so_many_runs():
            assert (CALLS.count("nothing"), CALLS.count("skipped")) == (2, 2)
            # What its report keeps would be no run like the others.
            assert CALLS.count("prints") > 2
            assert min(CALLS.count("second"), CALLS.count("other")) > 8
        """,
        "--leakscan",
        "-rE",
    )
    result.assert_outcomes(passed=6, errors=2, skipped=1)
    for name in ("test_every_second_run", "test_the_other_second_run"):
        result.stdout.fnmatch_lines([f"*ERROR at teardown of {name}*", "*3 Session survive 6 runs*"])


def test_what_a_test_measures_itself_counts_where_all_of_it_is_marked(suite):
    result = suite(
        """
        import leakscan
        import pytest

        pytestmark = pytest.mark.leakscan(runs=6)
        KEPT = []

        class Session:
            pass

        def test_passes():
            leakscan.assert_no_leaks(Session, runs=2)

        def test_fails():
            leakscan.assert_no_leaks(lambda: KEPT.append(Session()), runs=5)
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*test_passes: leaks were not looked for in the whole of it: it measures a part of itself"]
    )


def test_tests_of_anyio_and_pytest_asyncio_are_measured_too(suite):
    pytest.importorskip("pytest_asyncio")
    result = suite(
        """
        import asyncio
        import pytest

        class Session:
            pass

        KEPT = []

        @pytest.mark.asyncio
        @pytest.mark.leakscan(runs=5)
        async def test_leaks():
            await asyncio.sleep(0)
            KEPT.append(Session())

        @pytest.mark.asyncio
        @pytest.mark.leakscan(runs=5)
        async def test_is_fine():
            await asyncio.gather(*(asyncio.sleep(0) for _ in range(5)))

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        @pytest.mark.leakscan(runs=5)
        async def test_is_fine_with_anyio(anyio_backend):
            await asyncio.sleep(0)
        """,
        among=("asyncio", "anyio"),
    )
    result.assert_outcomes(failed=1, passed=2)


def test_a_returned_stream_is_brought_to_every_end_asked_for(suite):
    pytest.importorskip("pytest_asyncio")
    result = suite(
        """
        import asyncio
        import pytest

        class Session:
            pass

        KEPT = []

        async def chunks():
            session = Session()
            KEPT.append(session)
            for number in range(9):
                await asyncio.sleep(0)
                yield number
            KEPT.remove(session)

        @pytest.mark.asyncio
        @pytest.mark.leakscan(runs=5, modes=["consume", "abandon", "concurrent"])
        async def test_stream():
            return chunks()

        @pytest.mark.leakscan(runs=5)
        def test_sync_test_of_an_async_stream():
            return chunks()
        """,
        among=("asyncio",),
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["LEAK  5 Session survive 5 runs*", "*mode abandon*"])
    result.stdout.no_fnmatch_line("*mode consume*")


def test_coverage_and_several_workers_raise_no_alarm_and_their_page_has_each_leak_once(suite, pytester):
    pytest.importorskip("xdist")
    pytest.importorskip("pytest_cov")
    result = suite(
        """
        import logging
        import unittest
        import pytest
        """
        + textwrap.indent(THREE_LEAKS, 8 * " ")
        + """
        class TestOfUnittest(unittest.TestCase):
            def test_is_fine(self):
                logging.getLogger("x").warning("kept? %s", Session())
                with self.assertRaises(ValueError):
                    raise ValueError(Session())

        @pytest.mark.parametrize("number", range(1))
        def test_is_fine(number, tmp_path, capsys):
            print(Session())
        """,
        "--leakscan",
        "--leakscan-runs=6",
        "--leakscan-report=leaks.html",
        "--cov=.",
        "-n2",
        among=OTHERS,
    )
    result.assert_outcomes(passed=2, failed=3)
    page = (pytester.path / "leaks.html").read_text()
    assert page.count("<section") == 2
    assert "In 2 tests:</p><ul><li><code>test_suite.py::test_leaks</code></li>" in page
    assert "In this test:</p><ul><li><code>test_suite.py::test_other</code></li>" in page
