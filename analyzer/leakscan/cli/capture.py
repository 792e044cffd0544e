"""`leakscan capture`: run a scenario N times in its own process and keep what it leaves."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

from leakscan.cli import exits
from leakscan.cli.parameters import argument, option
from leakscan.cli.project_python import chosen_python

if TYPE_CHECKING:
    from leakscan.capture import Capture, Decide, Settings
    from leakscan.errors import LeakscanError

EXAMPLES = (
    "leakscan capture streamlab:stream_once --runs 20 -o leak/",
    "leakscan capture app/chat.py:answer --mode all --python .venv",
    "leakscan capture app/chat.py:answer --until-sure --prove",
)
ALL = "all"
_RUNTIMES = {"cpython": "CPython", "node": "Node"}


def capture(
    target: Annotated[
        str | None,
        argument(help="The scenario: package.module:callable, path/to/file.py:callable or file.mjs:name."),
    ] = None,
    output: Annotated[
        Path, option("--output", "-o", metavar="DIR", help="Where to write the capture.")
    ] = Path("leak"),
    runs: Annotated[int, option("--runs", "-n", help="Counted runs.")] = 20,
    warmup: Annotated[int, option(help="Runs before the baseline.")] = 3,
    arg: Annotated[
        list[str] | None,
        option(metavar="NAME=VALUE", help="Call it with this argument, JSON or text; may be repeated."),
    ] = None,
    setup: Annotated[
        str,
        option(
            metavar="NAME",
            help="Called once before all runs: sync, async, or with one `yield`; what it gives is the "
            "scenario's first argument. Without it `setup()` of the module, if there is one.",
        ),
    ] = "",
    mode: Annotated[
        str,
        option(
            help="How each stream ends: consume, abandon, cancel, timeout, error, concurrent, or all in turn."
        ),
    ] = "consume",
    chunks: Annotated[int, option(metavar="K", help="Chunks taken before a stream is cut off.")] = 3,
    python: Annotated[
        str | None,
        option(
            metavar="PATH",
            help="Interpreter (CPython 3.11-3.15) or virtual environment of the program. Without it: "
            "VIRTUAL_ENV, else the nearest .venv, else leakscan's own.",
        ),
    ] = None,
    node: Annotated[
        str | None, option(metavar="PATH", help="The Node (18 or newer) that runs a JavaScript file.")
    ] = None,
    inspect: Annotated[
        str | None,
        option(
            metavar="HOST:PORT", help="Instead of a scenario: a running Node, by its inspector (`--inspect`)."
        ),
    ] = None,
    pid: Annotated[
        int | None, option(metavar="PID", help="The same, asked by SIGUSR1 to open its inspector.")
    ] = None,
    snapshots: Annotated[int, option(metavar="N", help="With --inspect or --pid: how many, in all.")] = 2,
    wait: Annotated[
        float, option(metavar="SECONDS", help="With --inspect or --pid: between two snapshots.")
    ] = 60.0,
    every: Annotated[int, option(metavar="K", help="Also a snapshot after every K runs (0: none).")] = 0,
    timeout: Annotated[
        float | None, option(metavar="SECONDS", help="Give up when one run takes longer.")
    ] = None,
    settle: Annotated[
        float, option(metavar="SECONDS", help="Longest wait for work in flight after the last run.")
    ] = 2.0,
    sites: Annotated[
        bool, option("--sites", help="Also record the line that allocated each object (slower).")
    ] = False,
    redact_keys: Annotated[
        bool, option("--redact-keys", help="Write no dictionary keys into the snapshots.")
    ] = False,
    until_sure: Annotated[
        bool, option("--until-sure", help="Add runs until the verdict is decided.")
    ] = False,
    most_runs: Annotated[int, option(metavar="N", help="With --until-sure: give up after N runs.")] = 240,
    prove: Annotated[
        bool, option("--prove", help="Apply the proposed cut in a forked child, and count.")
    ] = False,
    native: Annotated[
        bool,
        option("--native", help="Then trace it with memray: who allocated what is not freed."),
    ] = False,
    trim_probe: Annotated[
        bool, option("--trim-probe", help="At the end, see what malloc_trim(0) gives back.")
    ] = False,
    control: Annotated[
        int, option(metavar="N", help="Rounds without work before the baseline, 3 at least.")
    ] = 3,
    overwrite: Annotated[bool, option("--overwrite", help="Replace the capture in DIR.")] = False,
    as_json: Annotated[bool, option("--json", help="Print run.json instead of a summary.")] = False,
) -> int:
    """Run a scenario N times; keep a snapshot before and after."""
    from leakscan.answers.decide import decision
    from leakscan.capture import Settings
    from leakscan.capture.scenario.arguments import parse_arguments
    from leakscan.errors import UsageError

    if inspect is not None or pid is not None:
        if target is not None or (inspect is not None and pid is not None):
            raise UsageError(
                "a scenario, --inspect and --pid are three things to capture", hint="name one of them"
            )
        from leakscan.cli.capture_inspected import capture_inspected

        return capture_inspected(
            address=inspect,
            pid=pid,
            output=output,
            snapshots=snapshots,
            wait=wait,
            overwrite=overwrite,
            as_json=as_json,
        )
    if target is None:
        raise UsageError("name a scenario", hint="package.module:callable, file.py:callable or file.mjs:name")
    _refuse_what_node_has_not(
        target,
        {
            "--prove": prove,
            "--native": native,
            "--sites": sites,
            "--trim-probe": trim_probe,
            "--redact-keys": redact_keys,
        },
    )
    python = chosen_python(python, target)
    limit = max(runs, most_runs) if until_sure else runs
    order: _Order = {
        "target": target,
        "output": output,
        "python": python,
        "node": node,
        "overwrite": overwrite,
        "decide": decision(most_runs=limit, is_proof_wanted=prove) if until_sure or prove else None,
        "settings": Settings(
            runs=runs,
            most_runs=limit,
            warmup=warmup,
            chunks=chunks,
            every=every,
            settle_seconds=settle,
            timeout_seconds=timeout,
            sites=sites,
            redact_keys=redact_keys,
            control=control,
            trim_probe=trim_probe,
            setup=setup,
            arguments=parse_arguments(arg or ()),
        ),
    }
    if mode == ALL:
        if native:
            raise UsageError("--native traces one mode", hint="choose it with --mode")
        code = _capture_all(order, as_json=as_json)
    else:
        code = _capture_one(order, mode, as_json=as_json, is_native=native)
    if as_json:
        print((output / "run.json").read_text(), end="")
    return code


def _refuse_what_node_has_not(target: str, asked: dict[str, bool]) -> None:
    from leakscan.capture.node import is_script
    from leakscan.errors import UsageError

    flags = [flag for flag, is_asked in asked.items() if is_asked]
    if flags and is_script(target):
        raise UsageError(
            f"{flags[0]} is for Python scenarios; V8 offers nothing like it", hint="leave it out for Node"
        )


class _Order(TypedDict):
    target: str
    output: Path
    python: str | None
    node: str | None
    overwrite: bool
    settings: Settings
    decide: Decide | None


def _capture_one(order: _Order, mode: str, *, as_json: bool, is_native: bool) -> int:
    from leakscan.capture import capture as run_capture
    from leakscan.capture.scenario.native import trace_natively
    from leakscan.cli.capture_progress import progress_on_stderr

    with progress_on_stderr(order["target"]) as on_progress:
        captured = run_capture(**order, mode=mode, on_progress=lambda progress: on_progress(mode, progress))
    if is_native and captured.status == "complete":
        trace_natively(captured, order["settings"], python=order["python"])
    if not as_json:
        print(_summary(captured), end="")
    return _exit_code(captured)


def _capture_all(order: _Order, *, as_json: bool) -> int:
    from leakscan.capture import capture_modes
    from leakscan.cli.capture_progress import progress_on_stderr

    with progress_on_stderr(order["target"]) as on_progress:
        results = capture_modes(**order, on_progress=on_progress)
    if not as_json:
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

    if isinstance(result, Capture):
        return _exit_code(result)
    if isinstance(result, ModeDoesNotApply):
        return 0
    print(f"error: {mode}: {result.message}", file=sys.stderr)
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
        lines.append(f"  {visible(proof_text(captured.proof, by=' and '.join(captured.proof.cut)))}")
    lines.append(f"next: leakscan diff {shlex.quote(str(captured.directory))}")
    return "\n".join(lines) + "\n"


def _ends(captured: Capture) -> str:
    return ", ".join(f"{count} {how}" for how, count in sorted(captured.ended.items())) or "none ended"
