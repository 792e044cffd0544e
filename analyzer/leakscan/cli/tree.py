"""All commands as one click group, each loaded when it is asked for: a command pays for itself only."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module

import click

from leakscan import __version__
from leakscan.cli import COMMANDS, COMPLETION, exits
from leakscan.cli.parameters import command_of


class Tree(click.Group):
    """The group `leakscan`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.command_named(cmd_name) if cmd_name in COMMANDS else None

    def command_named(self, name: str) -> click.Command:
        if name not in self.commands:
            module = import_module(f"leakscan.cli.{name}")
            self.add_command(command_of(getattr(module, name), module.EXAMPLES), name)
        return self.commands[name]

    def all_commands(self) -> Iterable[tuple[str, click.Command]]:
        return [(name, self.command_named(name)) for name in COMMANDS]


def build_tree() -> Tree:
    """The whole command line."""
    return Tree(
        name="leakscan",
        help="What is still alive after N runs, since which run, and which one reference must go.",
        epilog="Start with:  leakscan capture package.module:callable --runs 20 -o leak/",
        invoke_without_command=True,
        subcommand_metavar="COMMAND [ARGS]...",
        callback=_leakscan,
        params=[
            click.Option(
                ["--version"],
                help="Print the version and exit.",
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
            ),
            click.Option(
                ["--show-completion"],
                help="Print what a shell (bash, zsh, fish) sources to complete commands.",
                metavar="SHELL",
                type=click.Choice(["bash", "zsh", "fish"]),
                is_eager=True,
                expose_value=False,
                callback=_print_completion,
            ),
        ],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    )


@click.pass_context
def _leakscan(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        context.exit(exits.CANNOT_RUN)


def _print_version(context: click.Context, option: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        print(f"leakscan {__version__}")
        context.exit()


def _print_completion(context: click.Context, option: click.Parameter, shell: str | None) -> None:
    from click.shell_completion import get_completion_class

    if shell is not None:
        kind = get_completion_class(shell)
        assert kind is not None
        print(kind(context.command, {}, "leakscan", COMPLETION).source())
        context.exit()
