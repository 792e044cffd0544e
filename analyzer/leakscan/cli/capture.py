"""`leakscan capture`: run a scenario N times in its own process and keep what it leaves."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from leakscan.cli import exits
from leakscan.cli.capture_options import ALL, CaptureOptions
from leakscan.cli.project_python import chosen_python

if TYPE_CHECKING:
    from leakscan.capture import Capture, Decide, Settings
    from leakscan.errors import LeakscanError

EXAMPLES = (
    "leakscan capture streamlab:stream_once --runs 20 -o leak/",
    "leakscan capture app/chat.py:answer --mode all --python .venv",
    "leakscan capture app/chat.py:answer --until-sure --prove",
    "leakscan capture app.main:app --request 'GET /health'",
    "leakscan capture --url http://127.0.0.1:8000/chat -- uvicorn app:app",
    "leakscan capture --on-call shop.orders:Worker.handle -- python -m shop",
)
_RUNTIMES = {"cpython": "CPython", "node": "Node"}

_CUTS_NAMED = 4
"""References of a cut that are named in one line; more are counted."""


def capture(asked: CaptureOptions) -> int:
    """Run a scenario N times; keep a snapshot before and after."""
    from leakscan.errors import UsageError

    if asked.is_of_running_node:
        if asked.target is not None or (asked.inspect is not None and asked.pid is not None):
            raise UsageError(
                "a scenario, --inspect and --pid are three things to capture", hint="name one of them"
            )
        if flags := [*asked.only_for_python, *asked.only_for_scenarios]:
            raise UsageError(
                f"{flags[0]} is for scenarios; a running Node writes its heap as it is", hint="leave it out"
            )
        from leakscan.cli.capture_inspected import capture_inspected

        return capture_inspected(asked)
    if asked.command or asked.on_call or asked.url:
        from leakscan.cli.capture_command import capture_command

        _say_what_is_recorded(asked)
        captured = capture_command(asked)
        print(
            (asked.output / "run.json").read_text() if asked.as_json else _summary(captured),
            end="",
        )
        return _exit_code(captured)
    if asked.target is None:
        raise UsageError(
            "name a scenario",
            hint="package.module:callable, file.py:callable, file.mjs:name; or -- python script.py",
        )
    _refuse_what_node_has_not(asked.target, asked.only_for_python)
    _say_what_is_recorded(asked)
    if asked.mode == ALL and asked.native:
        raise UsageError("--native traces one mode", hint="choose it with --mode")
    order = _order(asked, asked.target)
    code = _capture_all(order, asked) if asked.mode == ALL else _capture_one(order, asked)
    if asked.as_json:
        print((asked.output / "run.json").read_text(), end="")
    return code


def _refuse_what_node_has_not(target: str, flags: list[str]) -> None:
    from leakscan.capture.node import is_script
    from leakscan.errors import UsageError

    if flags and is_script(target):
        raise UsageError(
            f"{flags[0]} is for Python scenarios; V8 offers nothing like it", hint="leave it out for Node"
        )


def _say_what_is_recorded(asked: CaptureOptions) -> None:
    if asked.values:
        print(
            "--values: the snapshots hold what texts say that occur more than once, up to 120 characters,"
            " masked only where they look like secrets; mind who gets them",
            file=sys.stderr,
        )


class _Order(TypedDict):
    """What `leakscan.capture.capture` and `capture_modes` both take."""

    target: str
    output: Path
    python: str | None
    node: str | None
    overwrite: bool
    settings: Settings
    decide: Decide | None


def _order(asked: CaptureOptions, target: str) -> _Order:
    from leakscan.answers.decide import decision

    decides = asked.until_sure or asked.prove or asked.blame
    return {
        "target": target,
        "output": asked.output,
        "python": chosen_python(asked.python, target),
        "node": asked.node,
        "overwrite": asked.overwrite,
        "settings": asked.settings(),
        "decide": decision(
            most_runs=asked.most_runs_asked, is_proof_wanted=asked.prove, is_blame_wanted=asked.blame
        )
        if decides
        else None,
    }


def _capture_one(order: _Order, asked: CaptureOptions) -> int:
    from leakscan.capture import capture as run_capture
    from leakscan.capture.scenario.native import trace_natively
    from leakscan.cli.capture_progress import progress_on_stderr

    mode = asked.mode
    with progress_on_stderr(order["target"]) as on_progress:
        captured = run_capture(**order, mode=mode, on_progress=lambda progress: on_progress(mode, progress))
    if asked.native and captured.status == "complete":
        trace_natively(captured, order["settings"], python=order["python"])
    if not asked.as_json:
        print(_summary(captured), end="")
    return _exit_code(captured)


def _capture_all(order: _Order, asked: CaptureOptions) -> int:
    from leakscan.capture import capture_modes
    from leakscan.cli.capture_progress import progress_on_stderr

    with progress_on_stderr(order["target"]) as on_progress:
        results = capture_modes(**order, on_progress=on_progress)
    if not asked.as_json:
        for mode, result in results.items():
            print(_line_of_mode(mode, result))
        print(f"next: leakscan diff {shlex.quote(str(order['output']))}")
    return max(_code_of_mode(mode, result) for mode, result in results.items())


def _line_of_mode(mode: str, result: Capture | LeakscanError) -> str:
    from leakscan.capture import Capture
    from leakscan.wording import visible

    if isinstance(result, Capture):
        return f"{mode:<11} {result.runs_completed} runs, {_ends(result)}"
    return f"{mode:<11} not captured: {visible(result.message.splitlines()[0])}"


def _code_of_mode(mode: str, result: Capture | LeakscanError) -> int:
    from leakscan.capture import Capture, ModeDoesNotApply
    from leakscan.wording import visible

    if isinstance(result, Capture):
        return _exit_code(result)
    if isinstance(result, ModeDoesNotApply):
        return 0
    print(visible(f"error: {mode}: {result.message}"), file=sys.stderr)
    return exits.CANNOT_RUN


def _exit_code(captured: Capture) -> int:
    if captured.status != "interrupted":
        return 0
    print(f"warning: missing: {'; '.join(captured.missing)}", file=sys.stderr)
    return exits.INTERRUPTED


def _summary(captured: Capture) -> str:
    """What was run and how the heap moved, and the command to run next."""
    from leakscan.answers.proof import proof_text
    from leakscan.wording import count_text, size_text, visible

    runtime = f"{_RUNTIMES[captured.runtime]} {captured.version}"
    lines = [
        f"captured {visible(captured.target)}: {captured.runs_completed} runs, {_ends(captured)}",
        f"  scenario   {captured.scenario}; mode {captured.mode}; {runtime}",
    ]
    if captured.mode == "consume" and "stream" in captured.scenario:
        lines.append(
            "  streams    read to their ends; --mode abandon leaves early, --mode all tries every end"
        )
    if len(captured.census) > 1:
        first, last = captured.census[0], captured.census[-1]
        if first.object_count:
            lines.append(f"  objects    {count_text(first.object_count)} -> {count_text(last.object_count)}")
        lines.append(f"  heap       {size_text(first.object_bytes)} -> {size_text(last.object_bytes)}")
        if "rss_bytes" in first.memory:
            rss = [size_text(census.memory["rss_bytes"]) for census in (first, last)]
            lines.append(f"  rss        {rss[0]} -> {rss[1]}")
    if captured.in_flight is not None and captured.in_flight.tasks_after > captured.in_flight.tasks_at_rest:
        extra = captured.in_flight.tasks_after - captured.in_flight.tasks_at_rest
        what = "timers, sockets or requests" if captured.runtime == "node" else "tasks"
        lines.append(f"  in flight  {count_text(extra)} {what} of the runs have not ended")
    if captured.proof is not None:
        lines.append(f"  {visible(proof_text(captured.proof, by=_cut_text(captured.proof.cut)))}")
    lines.append(f"next: leakscan diff {shlex.quote(str(captured.directory))}")
    return "\n".join(lines) + "\n"


def _cut_text(cut: tuple[str, ...]) -> str:
    from leakscan.wording import count_text

    return " and ".join(cut) if len(cut) <= _CUTS_NAMED else f"{count_text(len(cut))} references"


def _ends(captured: Capture) -> str:
    return ", ".join(f"{count} {how}" for how, count in sorted(captured.ended.items())) or "none ended"
