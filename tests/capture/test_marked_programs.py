"""Programs that mark their runs, or whose calls or the clock do: answered as a scenario is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import leakscan
from asked import kinds
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Capture, Settings
from leakscan.capture.directory.reader import read_capture
from leakscan.capture.program.orders import by_time
from leakscan.capture.program.run import Marks, capture_program
from leakscan.cli.capture_command import NOT_OF_A_COMMAND, capture_command
from leakscan.cli.capture_options import CaptureOptions
from leakscan.errors import CaptureError, UsageError
from leakscan.report.reproduce import commands
from verdicts import INNOCENT

Run = Callable[..., Capture]
HEAD = """
import leakscan, sys

class Order:
    pass

KEPT = []

def handle(n):
    order = Order()
    if "leak" in sys.argv:
        KEPT.append(order)
    return order
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run(source, "leak", marks=...)` writes source to program.py and captures `python program.py leak`."""
    monkeypatch.chdir(tmp_path)

    def captured(source: str, *words: str, marks: Marks | None = None, **settings: object) -> Capture:
        Path("program.py").write_text(textwrap.dedent(source))
        return capture_program(
            [sys.executable, "program.py", *words],
            output=tmp_path / "leak",
            marks=marks or Marks(),
            settings=Settings(**{"runs": 8, "warmup": 2, **settings}),  # type: ignore[arg-type]
            overwrite=True,
        )

    return captured


def leaks(captured: Capture) -> list[tuple[int, str, float]]:
    found = analysed_capture(captured)
    assert found.verdict is Verdict.LEAK or found.verdict in INNOCENT, found.headline
    return [
        (leak.count, leak.type_name.rpartition(".")[2], leak.rate)
        for leak in found.leaks
        if leak.verdict is Verdict.LEAK
    ]


PROGRAMS = {
    "marks in a loop": """
        def main():
            for n in range(20):
                handle(n)
                leakscan.run_done()
        main()
        """,
    "a with block": """
        for n in range(20):
            with leakscan.run():
                handle(n)
        """,
    "a loop of asyncio": """
        import asyncio
        async def main():
            for n in range(20):
                async with asyncio.timeout(60):
                    handle(n)
                    await asyncio.sleep(0)
                leakscan.run_done()
        asyncio.run(main())
        """,
    "a worker thread": """
        import threading
        def work():
            for n in range(20):
                with leakscan.run():
                    handle(n)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """,
    "tasks that overlap": """
        import asyncio
        async def work(n):
            with leakscan.run():
                await asyncio.sleep(0)
                handle(n)
        async def main():
            for n in range(6):
                await asyncio.gather(*map(work, range(3)))
        asyncio.run(main())
        """,
    "runs that fail": """
        for n in range(20):
            try:
                with leakscan.run():
                    handle(n)
                    raise ValueError(n)
            except ValueError:
                pass
        """,
}


@pytest.mark.parametrize("way", PROGRAMS)
def test_marked_runs_find_the_leak_and_not_its_fixed_twin(run: Run, way: str):
    source = HEAD + textwrap.dedent(PROGRAMS[way])
    [(count, name, _)] = leaks(run(source, "leak"))
    # Of four runs that overlap three may be under way at the baseline, and three at the end.
    apart = 3 if "overlap" in way else 0
    assert name == "Order" and abs(count - 8) <= apart
    assert leaks(run(source)) == []


OVERLAPPING_THREADS = """
    import threading
    all_there = threading.Barrier(4)
    def work():
        turns = iter(range(5))
        all_there.wait()
        for n in turns:
            with leakscan.run():
                handle(n)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads: each.start()
    for each in threads: each.join()
    """


def test_a_leak_of_threads_whose_runs_overlap_is_told_and_its_fixed_twin_is_none(run: Run):
    source = HEAD + textwrap.dedent(OVERLAPPING_THREADS)
    # Which run made what is chance here, and so are the verdict's evidence and how sure it is.
    leaking = analysed_capture(run(source, "leak"))
    assert leaking.verdict in (Verdict.LEAK, Verdict.INCONCLUSIVE)
    assert "__main__.Order" in [leak.type_name for leak in leaking.leaks]
    assert analysed_capture(run(source)).verdict is not Verdict.LEAK


def test_what_is_made_between_two_runs_is_of_none(run: Run):
    source = HEAD + textwrap.dedent("""
        for n in range(20):
            with leakscan.run():
                pass
            KEPT.append(Order())
        """)
    assert not any(leak.births for leak in found(run(source)).leaks)


def found(captured: Capture) -> Findings:
    return analysed_capture(captured)


ENDS = {
    "it returns": ("", 0),
    "it leaves": ("sys.exit(0)", 0),
    "it ends at once": ("import os; os._exit(0)", 0),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_that_ends_early_is_answered_for_the_runs_it_did(run: Run, end: str):
    source = HEAD + textwrap.dedent(f"""
        def main():
            kept = []
            for n in range(7):
                kept.append(Order())
                leakscan.run_done()
            {ENDS[end][0]}
        main()
        """)
    captured = run(source)
    assert (captured.status, captured.runs, captured.missing) == ("complete", 5, ())
    assert leaks(captured) == [(5, "Order", 1)]


def test_a_program_that_dies_leaves_what_it_did(run: Run, tmp_path: Path):
    source = HEAD + "import os\nfor n in range(7):\n    handle(n)\n    leakscan.run_done()\nos.abort()"
    with pytest.raises(CaptureError, match="SIGABRT after run 5"):
        run(source, "leak")
    assert leaks(read_capture(tmp_path / "leak")) == [(5, "Order", 1)]


def test_a_program_without_a_mark_is_told_how(run: Run):
    with pytest.raises(CaptureError, match="no run was seen: it ended with exit code 3") as error:
        run("raise SystemExit(3)")
    assert "run_done" in error.value.hint


def test_too_few_runs_are_told(run: Run):
    with pytest.raises(CaptureError, match="2 warm-up runs come first"):
        run("import leakscan\nleakscan.run_done()")


def test_without_a_warm_up_the_first_mark_is_the_baseline(run: Run):
    source = HEAD + "for n in range(9):\n    handle(n)\n    leakscan.run_done()"
    assert leaks(run(source, "leak", warmup=0)) == [(8, "Order", 1)]


def test_a_command_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(CaptureError, match="cannot start no-such-program"):
        capture_program(
            ["no-such-program"], output=tmp_path / "leak", marks=Marks(), settings=Settings(runs=3)
        )


def test_a_program_that_stops_tracing_its_memory_is_not_harmed(run: Run, capfd: pytest.CaptureFixture[str]):
    program = (
        HEAD
        + """
import tracemalloc
tracemalloc.start()
for number in range(10):
    handle(number)
    if number == 5:
        tracemalloc.stop()
    leakscan.run_done()
"""
    )
    with pytest.raises(CaptureError, match="another tool took the allocator hook away") as failure:
        run(program, "leak")
    assert "tracemalloc" in failure.value.hint
    assert "Traceback" not in capfd.readouterr().err


def test_marks_outside_of_a_capture_do_nothing():
    leakscan.run_done()
    with leakscan.run():
        pass
    with pytest.raises(ValueError, match="mine"), leakscan.run():
        raise ValueError("mine")


def test_a_child_that_a_run_forks_never_counts(run: Run):
    source = HEAD + textwrap.dedent("""
        import os
        for n in range(20):
            child = os.fork()
            if not child:
                leakscan.run_done()
                os._exit(0)
            os.waitpid(child, 0)
            handle(n)
            leakscan.run_done()
        """)
    assert leaks(run(source, "leak")) == [(8, "Order", 1)]


def test_the_worker_that_marks_is_the_one_that_is_captured(run: Run):
    source = HEAD + textwrap.dedent("""
        import multiprocessing
        def work():
            for n in range(20):
                handle(n)
                leakscan.run_done()
        if __name__ == "__main__":
            worker = multiprocessing.get_context(METHOD).Process(target=work)
            worker.start()
            worker.join()
        """)
    for method in ("fork", "spawn"):
        assert leaks(run(source.replace("METHOD", repr(method)), "leak")) == [(8, "Order", 1)]


CALLS = {
    "a function of the script": ("__main__:handle", "", "for n in range(20): handle(n)"),
    "the script by its name": ("program:handle", "", "for n in range(20): handle(n)"),
    "a function of a module": ("shop:work", "from shop import work", "for n in range(20): work(KEPT, Order)"),
    "a method": ("shop:Shop.work", "from shop import Shop", "for n in range(20): Shop().work(KEPT, Order)"),
    "a static method": (
        "shop:Shop.still",
        "from shop import Shop",
        "for n in range(20): Shop.still(KEPT, Order)",
    ),
    "a class method": (
        "shop:Shop.made",
        "from shop import Shop",
        "for n in range(20): Shop.made(KEPT, Order)",
    ),
    "an async function": (
        "shop:arrive",
        "import asyncio; from shop import arrive",
        "async def main():\n    for n in range(20): await arrive(KEPT, Order)\nasyncio.run(main())",
    ),
    "a generator": (
        "shop:parts",
        "from shop import parts",
        "for n in range(20): list(parts(KEPT, Order))",
    ),
    "an async generator": (
        "shop:stream",
        "import asyncio; from shop import stream",
        "async def main():\n    for n in range(20): [x async for x in stream(KEPT, Order)]\n"
        "asyncio.run(main())",
    ),
    "what a decorator registers": (
        "shop:routed",
        "import shop",
        "for n in range(20): shop.ROUTES[0](KEPT, Order)",
    ),
    "a function that was there before the program": (
        "json:dumps",
        "import json",
        "for n in range(20):\n    if 'leak' in sys.argv: KEPT.append(Order())\n    json.dumps(n)",
    ),
    "a function of another module": (
        "shop:other",
        "import shop",
        "for n in range(20): shop.other(KEPT, Order)",
    ),
}
ALWAYS = (
    *("a function of the script", "a method", "an async function", "an async generator"),
    *("what a decorator registers", "a function that was there before the program"),
)
SHOP = """
import sys
from elsewhere import other
ROUTES = []

def work(kept, kind):
    if "leak" in sys.argv:
        kept.append(kind())

class Shop:
    def work(self, kept, kind): work(kept, kind)
    @staticmethod
    def still(kept, kind): work(kept, kind)
    @classmethod
    def made(cls, kept, kind): work(kept, kind)

async def arrive(kept, kind):
    work(kept, kind)

def parts(kept, kind):
    yield 1
    work(kept, kind)
    yield 2

async def stream(kept, kind):
    yield 1
    work(kept, kind)
    yield 2

def route(function):
    ROUTES.append(function)
    return function

@route
def routed(kept, kind): work(kept, kind)
"""


@pytest.mark.parametrize("what", kinds(CALLS, *ALWAYS))
def test_each_return_of_a_function_is_a_run(run: Run, tmp_path: Path, what: str):
    name, imports, loop = CALLS[what]
    (tmp_path / "elsewhere.py").write_text(
        "def other(kept, kind):\n    import shop\n    shop.work(kept, kind)\n"
    )
    (tmp_path / "shop.py").write_text(SHOP)
    source = f"{HEAD}\n{imports}\n{loop}\n".replace("import leakscan, sys", "import sys")
    marks = Marks(on_call=(name,))
    assert leaks(run(source, "leak", marks=marks)) == [(8, "Order", 1)]
    assert leaks(run(source, marks=marks)) == []


def test_a_counted_generator_is_driven_as_it_would_be(run: Run):
    source = """
        import asyncio
        async def stream():
            got = yield 1
            try:
                yield got * 2
            except ValueError as error:
                yield str(error)
            finally:
                closed.append(1)
        closed = []
        async def once():
            running = stream()
            assert await anext(running) == 1
            assert await running.asend(4) == 8
            assert await running.athrow(ValueError("no")) == "no"
            await running.aclose()
            assert closed.pop() == 1
        async def main():
            for n in range(20): await once()
        asyncio.run(main())
        """
    assert leaks(run(source, marks=Marks(on_call=("__main__:stream",)))) == []


def test_the_clock_may_say_what_a_run_is(run: Run):
    source = HEAD + "import time\nwhile True:\n    handle(0)\n    time.sleep(0.002)"
    marks = Marks(drive=by_time(0.1))
    assert found(run(source, "leak", marks=marks)).verdict is Verdict.LEAK
    assert found(run(source, marks=marks)).verdict in INNOCENT


def test_a_script_is_what_it_would_be_without_us(run: Run, tmp_path: Path):
    source = """
        import json, os, sys, sitecustomize
        def handle(): pass
        seen = [__name__, sys.argv, __spec__ is None, sys.path[0], sitecustomize.WHOSE]
        json.dump(seen, open("seen.json", "w"))
        """
    (tmp_path / "sitecustomize.py").write_text("WHOSE = 'the program'\n")
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        for marks in (Marks(), Marks(on_call=("__main__:handle",))):
            with pytest.raises(CaptureError):
                run(source, "a", marks=marks)
            seen = json.loads((tmp_path / "seen.json").read_text())
            assert seen == ["__main__", ["program.py", "a"], True, str(tmp_path), "the program"]
    finally:
        del os.environ["PYTHONPATH"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_an_answer(tmp_path: Path, number: signal.Signals):
    (tmp_path / "program.py").write_text(
        HEAD + "import time\nwhile True:\n    handle(0)\n    leakscan.run_done()\n    time.sleep(0.05)\n"
    )
    command = [
        sys.executable,
        "-m",
        "leakscan",
        "capture",
        "--runs",
        "5000",
        "-o",
        "leak",
        "--",
        sys.executable,
    ]
    process = subprocess.Popen(
        [*command, "program.py", "leak"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    ended = time.monotonic() + 100
    while time.monotonic() < ended and _runs_of(tmp_path) < 8:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=100)
    captured = read_capture(tmp_path / "leak")
    assert captured.status == "interrupted", said
    assert leaks(captured) == [(captured.runs_completed, "Order", 1)]
    assert not _alive("program.py leak")


def _runs_of(folder: Path) -> int:
    try:
        return read_capture(folder / "leak").runs_completed
    except leakscan.errors.LeakscanError:
        return 0


def _alive(words: str) -> bool:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(line.endswith(words) for line in listed.splitlines())


def test_the_answer_says_how_to_capture_it_again(run: Run):
    source = HEAD + "for n in range(20):\n    handle(n)"
    marks = Marks(on_call=("__main__:handle",), option="--on-call __main__:handle")
    again = commands(found(run(source, "leak", marks=marks))).splitlines()[0]
    assert again.startswith("leakscan capture --runs 8 --warmup 2 -o leak/ --on-call __main__:handle -- /")
    assert again.endswith(" program.py leak")


def test_a_program_that_goes_on_after_the_last_run_leaves_the_capture_as_it_is(run: Run):
    source = HEAD + textwrap.dedent("""
        import signal
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        left = 20
        while left:
            handle(0)
            leakscan.run_done()
            left -= bool(stopped)
        """)
    captured = run(source, "leak")
    assert [row.run for row in captured.control] == [1, 2, 3]
    assert [leakscan.load(each).meta["run"] for each in (captured.before, captured.after)] == [0, 8]
    assert leaks(captured) == [(8, "Order", 1)]


@pytest.mark.parametrize("flag", sorted(NOT_OF_A_COMMAND))
def test_what_a_command_cannot_be_asked_for_says_why_and_what_instead(flag: str):
    value = {"--arg": ["n=3"], "--setup": "open", "--node": "node"}.get(flag, True)
    asked = CaptureOptions(command=["python", "x.py"], **{flag[2:].replace("-", "_"): value})
    with pytest.raises(UsageError, match=f"^{flag} is for scenarios: ") as refused:
        capture_command(asked)
    assert len(refused.value.message) > len(f"{flag} is for scenarios: ") and refused.value.hint
