"""Captures every program with a known answer again and again, under each interpreter.

Each answer comes from a process of its own, as a user's would. What was found right is kept in a file, so
that an interrupted call goes on where it stopped; a change of leakscan or of a program makes its rows void.

Usage: known_rounds.py [--rounds 20] [--jobs 2] [--folder .interpreters] [PROGRAM...]
       known_rounds.py --show          the first line of every program, under this interpreter
       known_rounds.py --signatures    the signature of every leak, under each interpreter
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from known_answers import EXPECTED, missing_for, problems, target_of  # noqa: E402 - it lies with the tests
from leakscan.analysis.results.findings import Findings  # noqa: E402
from leakscan.answers.analyse import analysed_one  # noqa: E402
from leakscan.capture import capture  # noqa: E402
from leakscan.errors import LeakscanError  # noqa: E402
from test_all import find_interpreters  # noqa: E402


@dataclass(frozen=True, slots=True)
class Question:
    """One program under one interpreter, for the n-th time."""

    version: str
    python: str
    program: str
    round: int


def ask(question: Question) -> Findings:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "capture"
        capture(target_of(question.program), output=output, python=question.python)
        return analysed_one([output])


def what_is_wrong(question: Question) -> list[str]:
    try:
        return problems(ask(question), question.program)
    except (LeakscanError, AssertionError) as error:
        return [str(error)]


def main() -> int:
    options = _options()
    programs = options.programs or list(EXPECTED)
    for program in list(programs):
        if reason := missing_for(program):
            print(f"{program} is left out: {reason}")
            programs.remove(program)
    if options.show:
        here = Question("", sys.executable, "", 0)
        return _print_first_lines([_of(here, program) for program in programs])
    pythons = find_interpreters(options.folder.resolve())
    wanted = [version for version in pythons if not options.version or version in options.version]
    questions = [
        Question(version, str(pythons[version]), program, number)
        for number in range(1, options.rounds + 1)
        for version in wanted
        for program in programs
        if number <= EXPECTED[program].get("rounds", options.rounds)
    ]
    if options.signatures:
        return _compare_signatures([one for one in questions if one.round == 1], options.jobs)
    return _rounds(questions, options.jobs, options.state)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1, help="captures at the same time")
    parser.add_argument("--folder", type=Path, default=ROOT / ".interpreters")
    parser.add_argument("--version", action="append", help="only this one, 3.11 for example")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "known-rounds.txt")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--signatures", action="store_true")
    parser.add_argument("programs", nargs="*")
    return parser.parse_args()


def _of(question: Question, program: str) -> Question:
    return Question(question.version, question.python, program, question.round)


def _rounds(questions: list[Question], jobs: int, state: Path) -> int:
    start = time.monotonic()
    digests = {program: _digest(program) for program in {one.program for one in questions}}
    done = set(state.read_text().splitlines()) if state.exists() else set()
    state.parent.mkdir(parents=True, exist_ok=True)
    left = [one for one in questions if _row(one, digests) not in done]
    failures = 0
    with ThreadPoolExecutor(jobs) as pool, state.open("a") as kept:
        running = {pool.submit(what_is_wrong, one): one for one in left}
        for future in as_completed(running):
            question, wrong = running[future], future.result()
            if not wrong:
                print(_row(question, digests), file=kept, flush=True)
                continue
            failures += 1
            print(
                f"{question.version} round {question.round} {question.program}: {'; '.join(wrong)}",
                flush=True,
            )
    versions = sorted({one.version for one in questions})
    print(
        f"{len(questions) - failures} of {len(questions)} answers right: {len(digests)} programs"
        f" on {', '.join(versions)}, {max(one.round for one in questions)} rounds;"
        f" {len(left)} captured now in {time.monotonic() - start:.0f} s"
    )
    return 1 if failures else 0


def _row(question: Question, digests: dict[str, str]) -> str:
    return f"{digests[question.program]} {question.version} {question.program} {question.round}"


def _digest(program: str) -> str:
    """Of everything that an answer on this program depends on."""
    package = ROOT / "analyzer" / "leakscan"
    files = [
        *sorted(path for path in package.rglob("*") if path.suffix in (".py", ".so")),
        Path(target_of(program).partition(":")[0]),
    ]
    digest = hashlib.sha256(repr(sorted(EXPECTED[program].items())).encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _print_first_lines(questions: Iterable[Question]) -> int:
    for question in questions:
        try:
            print(f"{question.program}\n    {ask(question).headline}", flush=True)
        except LeakscanError as error:
            print(f"{question.program}\n    error: {error}", flush=True)
    return 0


def _compare_signatures(questions: list[Question], jobs: int) -> int:
    """One line for each program: its signatures, and under which versions they differ."""
    with ThreadPoolExecutor(jobs) as pool:
        answers = list(pool.map(ask, questions))
    by_program: dict[str, dict[str, list[str]]] = {}
    for question, findings in zip(questions, answers, strict=True):
        # Noise and what is replaced has no signature that anybody keeps.
        signature = " ".join(sorted(f"{leak.signature}" for leak in findings.leaks)) or "-"
        of_program = by_program.setdefault(question.program, {})
        of_program.setdefault(signature, []).append(question.version)
    unequal = 0
    for program, found in by_program.items():
        if len(found) == 1:
            print(f"{program}: {next(iter(found))}")
            continue
        unequal += 1
        print(f"{program}: DIFFERS  " + "; ".join(f"{key} on {', '.join(on)}" for key, on in found.items()))
    print(f"{len(by_program) - unequal} of {len(by_program)} programs have the same signatures everywhere")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
