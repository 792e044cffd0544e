"""The command line: one file per command; this one registers them and turns errors into exit codes.

A command `x` is a function `x` in `cli/x.py`, listed in COMMANDS; EXAMPLES there (one line each) end its
help. It parses, calls one library function and hands the result to a reporter. Only typer and the
standard library may be imported at the top of a command's file, so that `leakscan --help` stays fast.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from leakscan import __version__
from leakscan.cli import exits
from leakscan.cli.configuration import Defaults, defaults, settings_of, unknown_variables
from leakscan.errors import LeakscanError
from leakscan.wording import visible

COMMANDS: Final[tuple[str, ...]] = (
    "capture",
    "attach",
    "diff",
    "graph",
    "whatif",
    "compare",
    "check",
    "paths",
    "top",
    "report",
    "bundle",
    "export",
    "watch",
    "doctor",
)
"""In the order of `leakscan --help`."""


def build_app() -> typer.Typer:
    """The whole command line as a typer application."""
    # Plain help: rich's boxes are lost on a dumb terminal, and importing it doubles the start.
    app = typer.Typer(
        name="leakscan",
        help="What is still alive after N runs, since which run, and which one reference must go.",
        epilog="Start with:  leakscan capture package.module:callable --runs 20 -o leak/",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    )
    app.callback(invoke_without_command=True)(_leakscan)
    for name in COMMANDS:
        module = import_module(f"leakscan.cli.{name}")
        app.command(name, epilog=_examples(module.EXAMPLES))(getattr(module, name))
    return app


def _examples(rows: Sequence[str]) -> str:
    # \b keeps the lines as they are.
    return "\n".join(["\b", "Examples:", *(f"  {row}" for row in rows)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 fine, 1 the check failed, 2 it could not run."""
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        tree = typer.main.get_command(build_app())
        code = tree.main(
            args=given,
            prog_name="leakscan",
            standalone_mode=False,
            # Help must be there whatever the configuration says.
            default_map={} if {"--help", "-h", "--version"} & set(given) else _configured(tree),
        )
        sys.stdout.flush()
    except LeakscanError as error:
        _complain(error.message, error.hint)
        return exits.CANNOT_RUN
    except (KeyboardInterrupt, typer.Abort):
        code = exits.INTERRUPTED
    except BrokenPipeError:
        # Or the interpreter would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.READER_GONE
    except SystemExit:
        # Outside its standalone mode typer only leaves this way when the reader of stdout is gone,
        # and with code 1, which here would mean "leaks found".
        return exits.READER_GONE
    except Exception as error:
        return _unexpected(error)
    if code == exits.INTERRUPTED:
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _configured(tree: Any) -> Defaults:  # Any: a click group, whose class typer hides
    settings = settings_of(tree)
    for sentence in unknown_variables(settings, os.environ):
        print(f"warning: {visible(sentence)}", file=sys.stderr)
    return defaults(settings, folder=Path.cwd(), environment=os.environ)


def _leakscan(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        print(f"leakscan {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(exits.CANNOT_RUN)


def _unexpected(error: Exception) -> int:
    # Typer carries its own copy of click from 0.26 on and imports the real one before, so the class
    # of a usage error has no one name to catch.
    format_message = getattr(error, "format_message", None)
    if format_message is not None:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "leakscan"
        _complain(format_message(), f"`{command} --help` shows what it takes")
        return exits.CANNOT_RUN
    if os.environ.get("LEAKSCAN_DEBUG") == "1":
        traceback.print_exception(error)
    _complain(
        f"internal error, please report: {type(error).__name__}: {error}",
        "" if os.environ.get("LEAKSCAN_DEBUG") == "1" else "LEAKSCAN_DEBUG=1 shows where it happened",
    )
    return exits.CANNOT_RUN


def _complain(message: str, hint: str) -> None:
    # Messages carry names out of snapshots and programs; only their line ends may act.
    rows = [f"error: {message}", *([f"hint: {hint}"] if hint else [])]
    for row in "\n".join(rows).split("\n"):
        print(visible(row), file=sys.stderr)
