"""What `leakscan capture` is asked for: its options, and the settings that they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from leakscan.cli.parameters import argument, option

if TYPE_CHECKING:
    from leakscan.capture import Settings
    from leakscan.capture.scenario.requests import WebRequest

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureOptions:
    """Every option of `leakscan capture`, in the order of its help."""

    target: Annotated[
        str | None,
        argument(
            help="The scenario: package.module:callable, path/to/file.py:callable, file.mjs:name, or a test "
            "of pytest, tests/test_file.py::test_name."
        ),
    ] = None
    command: Annotated[
        list[str] | None,
        argument(
            metavar="[-- COMMAND...]",
            is_after_dashes=True,
            help="Instead: a command as you would type it. It calls leakscan.run_done() where a run ends, "
            "or --on-call, --every or --url says what a run is.",
        ),
    ] = None
    output: Annotated[Path, option("--output", "-o", metavar="DIR", help="Where to write the capture.")] = (
        Path("leak")
    )
    runs: Annotated[int, option("--runs", "-n", help="Counted runs.")] = 20
    warmup: Annotated[int, option(help="Runs before the baseline.")] = 3
    arg: Annotated[
        list[str] | None,
        option(metavar="NAME=VALUE", help="Call it with this argument, JSON or text; may be repeated."),
    ] = None
    setup: Annotated[
        str,
        option(
            metavar="NAME",
            help="Called once before all runs: sync, async, or with one `yield`; what it gives is the "
            "scenario's first argument. Without it `setup()` of the module, if there is one.",
        ),
    ] = ""
    request: Annotated[
        list[str] | None,
        option(
            metavar="TEXT",
            help="The target is an ASGI or WSGI application, and a run sends it this: 'GET /path', "
            """'POST /chat {"text": "hi"}', with ' => 404' where that is right; may be repeated.""",
        ),
    ] = None
    requests: Annotated[
        Path | None, option(metavar="FILE", help="The same, with the requests of an .http file.")
    ] = None
    on_call: Annotated[
        list[str] | None,
        option(
            "--on-call",
            metavar="NAME",
            help="Of a command: each return of package.module:function or module:Class.method is a run; "
            "may be repeated.",
        ),
    ] = None
    url: Annotated[
        str,
        option(
            metavar="URL",
            help="Of a command that is a server: a run sends it --request, without one GET URL.",
        ),
    ] = ""
    mode: Annotated[
        str,
        option(
            help="How each stream ends: consume, abandon, cancel, timeout, error, concurrent, or all in turn."
        ),
    ] = "consume"
    chunks: Annotated[int, option(metavar="K", help="Chunks taken before a stream is cut off.")] = 3
    python: Annotated[
        str | None,
        option(
            metavar="PATH",
            help="Interpreter (CPython 3.11-3.15) or virtual environment of the program. Without it: "
            "VIRTUAL_ENV, else the nearest .venv, else leakscan's own.",
        ),
    ] = None
    node: Annotated[
        str | None, option(metavar="PATH", help="The Node (18 or newer) that runs a JavaScript file.")
    ] = None
    inspect: Annotated[
        str | None,
        option(
            metavar="HOST:PORT", help="Instead of a scenario: a running Node, by its inspector (`--inspect`)."
        ),
    ] = None
    pid: Annotated[
        int | None, option(metavar="PID", help="The same, asked by SIGUSR1 to open its inspector.")
    ] = None
    snapshots: Annotated[int, option(metavar="N", help="With --inspect or --pid: how many, in all.")] = 2
    wait: Annotated[
        float, option(metavar="SECONDS", help="With --inspect or --pid: between two snapshots.")
    ] = 60.0
    every: Annotated[
        str,
        option(
            metavar="K|TIME",
            help="Also a snapshot after every K runs (0: none); of a command, 30s: a run is what it does "
            "in 30 seconds.",
        ),
    ] = "0"
    timeout: Annotated[float | None, option(metavar="SECONDS", help="Give up when one run takes longer.")] = (
        None
    )
    settle: Annotated[
        float, option(metavar="SECONDS", help="Longest wait for work in flight after the last run.")
    ] = 2.0
    sites: Annotated[
        bool, option("--sites", help="Also record the line that allocated each object (slower).")
    ] = False
    redact_keys: Annotated[
        bool, option("--redact-keys", help="Write no dictionary keys into the snapshots.")
    ] = False
    values: Annotated[
        bool,
        option(
            "--values",
            help="Also record what texts say that occur more than once: 120 characters, secrets masked.",
        ),
    ] = False
    until_sure: Annotated[bool, option("--until-sure", help="Add runs until the verdict is decided.")] = False
    most_runs: Annotated[int, option(metavar="N", help="With --until-sure: give up after N runs.")] = 240
    prove: Annotated[bool, option("--prove", help="Apply the proposed cut in a forked child, and count.")] = (
        False
    )
    blame: Annotated[bool, option("--blame", help="Run on to see which lines fill the holders.")] = False
    native: Annotated[
        bool,
        option("--native", help="Then trace it with memray: who allocated what is not freed."),
    ] = False
    trim_probe: Annotated[
        bool, option("--trim-probe", help="At the end, see what malloc_trim(0) gives back.")
    ] = False
    control: Annotated[
        int, option(metavar="N", help="Rounds without work before the baseline, 3 at least.")
    ] = 3
    overwrite: Annotated[bool, option("--overwrite", help="Replace the capture in DIR.")] = False
    as_json: Annotated[bool, option("--json", help="Print run.json instead of a summary.")] = False

    @property
    def is_of_running_node(self) -> bool:
        return self.inspect is not None or self.pid is not None

    @property
    def every_seconds(self) -> float:
        """The length of one run of a command, 0 when `--every` counts runs."""
        if self.every.strip().isdigit():
            return 0.0
        from leakscan.errors import UsageError
        from leakscan.units import parse_seconds

        seconds = parse_seconds(self.every)
        if not self.command or seconds <= 0:
            raise UsageError(
                f"--every {self.every} is no run",
                hint="--every 5 takes a snapshot after every 5 runs; --every 30s is for a command",
            )
        return seconds

    @property
    def only_for_scenarios(self) -> list[str]:
        """The flags given that make no sense for a command."""
        asked = {
            "--arg": bool(self.arg),
            "--setup": bool(self.setup),
            "--node": self.node is not None,
            "--until-sure": self.until_sure,
            "--prove": self.prove,
            "--blame": self.blame,
            "--native": self.native,
            "--trim-probe": self.trim_probe,
        }
        return [flag for flag, is_asked in asked.items() if is_asked]

    @property
    def most_runs_asked(self) -> int:
        return max(self.runs, self.most_runs) if self.until_sure else self.runs

    @property
    def only_for_python(self) -> list[str]:
        """The flags given that V8 offers nothing for."""
        asked = {
            "--prove": self.prove,
            "--native": self.native,
            "--sites": self.sites,
            "--trim-probe": self.trim_probe,
            "--redact-keys": self.redact_keys,
            "--values": self.values,
        }
        return [flag for flag, is_asked in asked.items() if is_asked]

    def settings(self) -> Settings:
        """How the scenario is run; UsageError where a number makes no sense."""
        from leakscan.capture import Settings
        from leakscan.capture.scenario.arguments import parse_arguments

        return Settings(
            runs=self.runs,
            most_runs=self.most_runs_asked,
            warmup=self.warmup,
            chunks=self.chunks,
            every=0 if self.every_seconds else int(self.every),
            settle_seconds=self.settle,
            timeout_seconds=self.timeout,
            sites=self.sites,
            redact_keys=self.redact_keys,
            values=self.values,
            control=self.control,
            trim_probe=self.trim_probe,
            setup=self.setup,
            arguments=parse_arguments(self.arg or ()),
            requests=self._web_requests(),
        )

    def requests_of_file(self) -> tuple[WebRequest, ...]:
        from leakscan.capture.scenario.requests import parse_requests_file

        return parse_requests_file(self.requests) if self.requests is not None else ()

    def _web_requests(self) -> tuple[WebRequest, ...]:
        from leakscan.capture.scenario.requests import parse_request

        if self.url:
            return ()  # of the server, whose URL they go to
        of_file = self.requests_of_file()
        return (*map(parse_request, self.request or ()), *of_file)
