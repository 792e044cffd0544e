"""Commands from the signatures of functions: `option` and `argument` stand in the annotations, click parses.

A parameter's type says how it is read: str, int, float, Path, a StrEnum, bool for a flag, a list of these for
what may be given again. A single parameter that is a dataclass stands for its fields, declared in the same
way. This is the part of typer that the commands need, without pydantic, which typer imports for every command
(docs/decisions/command-line-library.md).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from inspect import Parameter as Given
from inspect import cleandoc, signature
from pathlib import Path
from typing import Any

import click

Command = Callable[..., int | None]


@dataclass(frozen=True, slots=True)
class Declared:
    """What an annotation adds to a parameter's name, type and default."""

    is_option: bool
    flags: tuple[str, ...]
    help: str
    metavar: str | None
    least: int | None = None
    most: int | None = None
    is_after_dashes: bool = False


def option(
    *flags: str, help: str, metavar: str | None = None, min: int | None = None, max: int | None = None
) -> Declared:
    """An option; without `flags` it is called like its parameter."""
    return Declared(is_option=True, flags=flags, help=help, metavar=metavar, least=min, most=max)


def argument(*, help: str, metavar: str | None = None, is_after_dashes: bool = False) -> Declared:
    """`is_after_dashes`: it is all that follows `--`, and nothing else."""
    return Declared(False, (), help, metavar, is_after_dashes=is_after_dashes)


class Argument(click.Argument):
    """One with a line in the help, which click's own have not."""

    def __init__(  # Any: passed on to click
        self, *args: Any, help: str, is_after_dashes: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.explanation = help
        self.is_after_dashes = is_after_dashes


class OneCommand(click.Command):
    """A command whose help explains its arguments before its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        after = [each for each in self.params if isinstance(each, Argument) and each.is_after_dashes]
        if not after or after[0].name is None:
            return super().parse_args(ctx, args)
        dashes = args.index("--") if "--" in args else len(args)
        left = super().parse_args(ctx, args[:dashes])
        extra = ctx.params[after[0].name]
        if extra:
            # click gave it what no other argument took.
            raise click.UsageError(
                f"got unexpected extra argument ({' '.join(extra)}); a command comes after `--`", ctx
            )
        ctx.params[after[0].name] = tuple(args[dashes + 1 :])
        return left

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (
                each.make_metavar(ctx).strip("[]{}"),
                each.explanation + ("  [required]" if each.required else ""),
            )
            for each in self.params
            if isinstance(each, Argument)
        ]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


def command_of(function: Command, examples: Sequence[str]) -> click.Command:
    """The command that calls `function`; its docstring and `examples` (one line each) are its help."""
    taken, call = _taken(function)
    kinds = typing.get_type_hints(taken, include_extras=True)
    given = signature(taken).parameters
    shapes = {name: _shape(kinds[name]) for name in given}
    return OneCommand(
        name=function.__name__,
        params=[_parameter(each, *shapes[name]) for name, each in given.items()],
        callback=_caller(call, {name: shape[1] for name, shape in shapes.items()}),
        help=cleandoc(function.__doc__ or ""),
        # \b keeps the lines as they are.
        epilog="\n".join(["\b", "Examples:", *(f"  {row}" for row in examples)]),
    )


def _taken(function: Command) -> tuple[Callable[..., Any], Command]:
    """Whose parameters are the options, and what is called with them."""
    parameters = signature(function).parameters
    if len(parameters) == 1:
        options = typing.get_type_hints(function, include_extras=True)[next(iter(parameters))]
        if is_dataclass(options) and isinstance(options, type):
            return options, lambda **values: function(options(**values))
    return function, function


def _shape(annotation: Any) -> tuple[Declared, Any, bool]:  # Any: types at run time
    """What is declared, the type of one value, and whether there may be several."""
    kind, declared = typing.get_args(annotation)
    if isinstance(kind, types.UnionType):
        kind = next(each for each in typing.get_args(kind) if each is not types.NoneType)
    if typing.get_origin(kind) is list:
        return declared, typing.get_args(kind)[0], True
    return declared, kind, False


def _parameter(given: Given, declared: Declared, kind: Any, is_list: bool) -> click.Parameter:
    is_required = given.default is Given.empty
    default = None if is_required else given.default
    shared: dict[str, Any] = {
        "type": _type(declared, kind),
        "metavar": declared.metavar,
        "required": is_required,
    }
    if default is not None:
        shared["default"] = str(default) if isinstance(default, (Path, StrEnum)) else default
    if not declared.is_option:
        return Argument(
            [given.name],
            nargs=-1 if is_list else 1,
            help=declared.help,
            is_after_dashes=declared.is_after_dashes,
            **shared,
        )
    if kind is bool:
        shared |= {"is_flag": True, "type": None}
    return click.Option(
        [given.name, *(declared.flags or [f"--{given.name.replace('_', '-')}"])],
        help=declared.help,
        multiple=is_list,
        show_default=True,
        **shared,
    )


def _type(declared: Declared, kind: Any) -> click.ParamType[Any] | type:
    if issubclass(kind, StrEnum):
        return click.Choice([each.value for each in kind])
    if kind is int and (declared.least, declared.most) != (None, None):
        return click.IntRange(declared.least, declared.most)
    return str if kind is Path else kind


def _caller(function: Command, kinds: dict[str, Any]) -> Callable[..., int | None]:
    def called(**values: Any) -> int | None:
        return function(**{name: _value(kinds[name], value) for name, value in values.items()})

    return called


def _value(kind: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return [_value(kind, each) for each in value]
    return kind(value) if value is not None and issubclass(kind, (Path, StrEnum)) else value
