"""`leakscan capture`: run a scenario N times in its own process and keep what it leaves."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from leakscan.capture import Capture, Settings
    from leakscan.errors import LeakscanError

EXAMPLES = (
    "leakscan capture streamlab:stream_once --runs 20 -o leak/",
    "leakscan capture app/chat.py:answer --mode all --python .venv",
)
ALL = "all"
EXIT_CANNOT_RUN = 2
EXIT_INTERRUPTED = 130


def capture(
    target: Annotated[
        str, typer.Argument(help="The scenario: package.module:callable or path/to/file.py:callable.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write the capture.")
    ] = Path("leak"),
    runs: Annotated[int, typer.Option("--runs", "-n", help="Counted runs.")] = 20,
    warmup: Annotated[int, typer.Option(help="Runs before the baseline.")] = 3,
    mode: Annotated[
        str,
        typer.Option(
            help="How each stream ends: consume, abandon, cancel, timeout, error, concurrent, or all in turn."
        ),
    ] = "consume",
    chunks: Annotated[int, typer.Option(metavar="K", help="Chunks taken before a stream is cut off.")] = 3,
    python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Another interpreter (CPython 3.11-3.15) or virtual environment."),
    ] = None,
    every: Annotated[
        int, typer.Option(metavar="K", help="Also a snapshot after every K runs (0: none).")
    ] = 0,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Give up when one run takes longer.")
    ] = None,
    settle: Annotated[
        float, typer.Option(metavar="SECONDS", help="Longest wait for work in flight after the last run.")
    ] = 2.0,
    sites: Annotated[
        bool, typer.Option("--sites", help="Also record the line that allocated each object (slower).")
    ] = False,
    redact_keys: Annotated[
        bool, typer.Option("--redact-keys", help="Write no dictionary keys into the snapshots.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the capture in DIR.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json instead of a summary.")] = False,
) -> int:
    """Run a scenario N times; keep a snapshot before and after."""
    from leakscan.capture import Settings

    settings = Settings(
        runs=runs,
        warmup=warmup,
        chunks=chunks,
        every=every,
        settle_seconds=settle,
        timeout_seconds=timeout,
        sites=sites,
        redact_keys=redact_keys,
    )
    if mode == ALL:
        return _capture_all(target, output, python, settings, overwrite, as_json=as_json)
    return _capture_one(target, output, mode, python, settings, overwrite, as_json=as_json)


def _capture_one(
    target: str,
    output: Path,
    mode: str,
    python: str | None,
    settings: Settings,
    overwrite: bool,
    *,
    as_json: bool,
) -> int:
    from leakscan.capture import capture as run_capture
    from leakscan.cli.capture_progress import progress_on_stderr

    with progress_on_stderr(target) as on_progress:
        captured = run_capture(
            target,
            output=output,
            mode=mode,
            python=python,
            settings=settings,
            overwrite=overwrite,
            on_progress=lambda progress: on_progress(mode, progress),
        )
    print((output / "run.json").read_text() if as_json else _summary(captured), end="")
    return _exit_code(captured)


def _capture_all(
    target: str, output: Path, python: str | None, settings: Settings, overwrite: bool, *, as_json: bool
) -> int:
    from leakscan.capture import capture_modes
    from leakscan.cli.capture_progress import progress_on_stderr

    with progress_on_stderr(target) as on_progress:
        results = capture_modes(
            target,
            output=output,
            python=python,
            settings=settings,
            overwrite=overwrite,
            on_progress=on_progress,
        )
    if as_json:
        print((output / "run.json").read_text(), end="")
    codes = []
    for mode, result in results.items():
        if not as_json:
            print(_line_of_mode(mode, result))
        codes.append(_code_of_mode(mode, result))
    if not as_json:
        print(f"next: leakscan diff {shlex.quote(str(output))}")
    return max(codes)


def _line_of_mode(mode: str, result: Capture | LeakscanError) -> str:
    from leakscan.analysis.wording import visible
    from leakscan.capture import Capture

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
    return EXIT_CANNOT_RUN


def _exit_code(captured: Capture) -> int:
    if captured.status != "interrupted":
        return 0
    print(f"warning: missing: {'; '.join(captured.missing)}", file=sys.stderr)
    return EXIT_INTERRUPTED


def _summary(captured: Capture) -> str:
    """What was run and how the heap moved, and the command to run next."""
    from leakscan.analysis.wording import count_text, size_text, visible

    lines = [
        f"captured {visible(captured.target)}: {captured.runs_completed} runs, {_ends(captured)}",
        f"  scenario   {captured.scenario}; mode {captured.mode}; CPython {captured.python}",
    ]
    if len(captured.census) > 1:
        first, last = captured.census[0], captured.census[-1]
        lines.append(f"  objects    {count_text(first.object_count)} -> {count_text(last.object_count)}")
        lines.append(f"  heap       {size_text(first.object_bytes)} -> {size_text(last.object_bytes)}")
        if "rss_bytes" in first.memory:
            rss = [size_text(census.memory["rss_bytes"]) for census in (first, last)]
            lines.append(f"  rss        {rss[0]} -> {rss[1]}")
    if captured.in_flight is not None and captured.in_flight.tasks_after > captured.in_flight.tasks_at_rest:
        extra = captured.in_flight.tasks_after - captured.in_flight.tasks_at_rest
        lines.append(f"  in flight  {count_text(extra)} tasks of the runs have not ended")
    lines.append(f"next: leakscan diff {shlex.quote(str(captured.directory))}")
    return "\n".join(lines) + "\n"


def _ends(captured: Capture) -> str:
    return ", ".join(f"{count} {how}" for how, count in sorted(captured.ended.items())) or "none ended"
