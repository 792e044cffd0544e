"""The command line: one file per command; this one registers them and turns errors into exit codes.

A command `x` is a function `x` in `cli/x.py`, listed in COMMANDS; EXAMPLES there (one line each) end its
help. It parses, calls one library function and hands the result to a reporter. Only the standard library
and this package may be imported at the top of a command's file, and not even click at the top of this one,
so that each command pays for itself only.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from leakscan import __version__
from leakscan.cli import exits
from leakscan.errors import LeakscanError
from leakscan.wording import visible

if TYPE_CHECKING:
    from leakscan.cli.configuration import Defaults
    from leakscan.cli.tree import Tree

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
    "open",
    "inspect",
    "query",
    "stuck",
    "report",
    "bundle",
    "export",
    "watch",
    "guard",
    "doctor",
    "demo",
)
"""In the order of `leakscan --help`."""
COMPLETION: Final = "_LEAKSCAN_COMPLETE"
"""Set by a shell that asks for completions."""

_NOT_WRITTEN: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Errors of stdout. Those of a file are named by who wrote it."""
SUITE: Final = "_suite"
"""No command for people: the pytest plugin starts it."""


def run() -> NoReturn:
    """Run the command of this process and end it with its exit code, Ctrl-C included."""
    # What a shell closed (`2>&-`) is None, and `print` writes to stdout what was meant for it.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lasts
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # What an encoding lacks (a pipe on Windows, PYTHONIOENCODING=ascii) is written as its escape.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # numpy would start a thread of OpenBLAS for each core, and no command uses one. In C's environment only:
    # what a command starts is given os.environ.
    os.putenv("OPENBLAS_NUM_THREADS", os.environ.get("OPENBLAS_NUM_THREADS", "1"))
    code = main()
    if code == exits.INTERRUPTED:
        # An interrupt that came while text was compiled, as dataclasses are, stays noted in CPython (3.8 on,
        # `_Py_UnhandledKeyboardInterrupt`): the process would end by the signal, and not with this code.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 fine, 1 the check failed, 2 it could not run."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == [SUITE]:
        from leakscan.suite.serve import serve

        return serve(sys.stdin, sys.stdout, _configured_for_pytest)
    try:
        code = _run(given)
        sys.stdout.flush()
    except LeakscanError as error:
        _complain(error.message, error.hint)
        return exits.CANNOT_RUN
    except KeyboardInterrupt:
        code = exits.INTERRUPTED
    except BrokenPipeError:
        # Or the interpreter would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.READER_GONE
    except SystemExit as left:
        if COMPLETION in os.environ:
            return left.code if isinstance(left.code, int) else 0
        # Otherwise click outside its standalone mode only leaves this way when the reader of stdout is
        # gone, and with code 1, which here would mean "leaks found".
        return exits.READER_GONE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NOT_WRITTEN and error.filename is None:
            _complain(f"cannot write the answer: {error.strerror}", "")
            return exits.CANNOT_RUN
        return _unexpected(error)
    if code == exits.INTERRUPTED:
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _run(given: list[str]) -> int:
    if given == ["--version"]:
        print(f"leakscan {__version__}")
        return 0
    import click

    from leakscan.cli.tree import build_tree

    tree = build_tree()
    # Help must be there whatever the configuration says.
    is_configured = not {"--help", "-h", "--version"} & set(given)
    try:
        code = tree.main(
            args=given,
            prog_name="leakscan",
            standalone_mode=False,
            default_map=_configured(tree) if is_configured else {},
        )
    except click.Abort:
        return exits.INTERRUPTED
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = context.command_path if context is not None else "leakscan"
        _complain(error.format_message(), f"`{command} --help` shows what it takes")
        return exits.CANNOT_RUN
    return code if isinstance(code, int) else 0


def _configured(tree: Tree) -> Defaults:
    from leakscan.cli.configuration import defaults, is_configured, settings_of, unknown_variables

    if not is_configured(Path.cwd(), os.environ):
        return {}
    settings = settings_of(tree)
    for sentence in unknown_variables(settings, os.environ):
        print(f"warning: {visible(sentence)}", file=sys.stderr)
    return defaults(settings, folder=Path.cwd(), environment=os.environ)


def _configured_for_pytest(folder: Path) -> dict[str, Any]:
    """`baseline` and `budget` of the pytest plugin; what it does not say, `check` says."""
    from leakscan.cli.configuration import PLUGIN, defaults, is_configured, settings_of
    from leakscan.cli.tree import build_tree

    if not is_configured(folder, os.environ):
        return {}
    found = defaults(settings_of(build_tree()), folder=folder, environment=os.environ)
    return {**found.get("check", {}), **found.get(PLUGIN, {})}


def _unexpected(error: Exception) -> int:
    if os.environ.get("LEAKSCAN_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    if isinstance(error, MemoryError):
        _complain("the answer does not fit in memory", "ask on a machine with more memory")
        return exits.CANNOT_RUN
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
