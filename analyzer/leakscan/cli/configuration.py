"""Defaults of options from `[tool.leakscan]` in pyproject.toml and from the environment.

Weakest first: what the command says, pyproject.toml, LEAKSCAN_* variables, flags. A key or variable without a
command's name is for every command that has such an option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from leakscan.errors import UsageError

if TYPE_CHECKING:
    from leakscan.cli.tree import Tree

FILE: Final = "pyproject.toml"
PREFIX: Final = "LEAKSCAN_"
SWITCHES: Final = frozenset(("LEAKSCAN_DEBUG",))
"""Variables that are no option of any command."""
OWN_MEANING: Final = frozenset((("diff", "runs"),))
"""Options that share a name with another's and mean something else: only set under their command."""
PLUGIN: Final = "pytest"
"""No command: what `pytest --leakscan` allows, in words of `check`."""
_OF_PLUGIN: Final = ("baseline", "budget")
Defaults = dict[str, dict[str, Any]]  # Any: what a flag may be given, or TOML values


@dataclass(frozen=True, slots=True)
class Setting:
    """An option as it can be configured: `key` in TOML, `parameter` for the command, `default` in words."""

    command: str
    key: str
    parameter: str
    is_list: bool
    is_flag: bool
    help: str
    default: str

    @property
    def variable(self) -> str:
        return f"{PREFIX}{self.command}_{self.key}".upper().replace("-", "_")

    @property
    def general_variable(self) -> str:
        """The variable for every command, "" when the option means something of its own here."""
        if (self.command, self.key) in OWN_MEANING:
            return ""
        return f"{PREFIX}{self.key}".upper().replace("-", "_")


def is_configured(folder: Path, environment: Mapping[str, str]) -> bool:
    """Whether there may be anything to read: without it no command but the one that runs is loaded."""
    if any(name.startswith(PREFIX) and name not in SWITCHES for name in environment):
        return True
    text = _text_of_file(folder)[1]
    if "leakscan" not in text:
        return False
    import tomllib

    try:
        return "leakscan" in tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return "tool.leakscan" in text


def settings_of(tree: Tree) -> list[Setting]:
    """Every option of every command that can be configured."""
    found = []
    for name, command in tree.all_commands():
        for option in command.params:
            words = [word for word in option.opts if word.startswith("--")]
            if not isinstance(option, click.Option) or option.name is None or not words:
                continue
            found.append(
                Setting(
                    command=name,
                    key=words[0][2:],
                    parameter=option.name,
                    is_list=bool(option.multiple),
                    is_flag=bool(option.is_flag),
                    help=option.help or "",
                    default=_default_text(option),
                )
            )
    of_check = [each for each in found if each.command == "check" and each.key in _OF_PLUGIN]
    return [*found, *(replace(each, command=PLUGIN) for each in of_check)]


def _default_text(option: click.Option) -> str:
    # The information for documents speaks of no sentinel, which newer clicks hold where there is no default.
    default = option.to_info_dict()["default"]
    if option.is_flag:
        return str(default is True)
    return str(default) if isinstance(default, (str, int, float)) else ""


def defaults(settings: list[Setting], *, folder: Path, environment: Mapping[str, str]) -> Defaults:
    """What click's `default_map` takes. UsageError: a key is unknown, with the nearest one."""
    configured = _from_file(settings, folder)
    for setting in settings:
        text = environment.get(setting.variable, environment.get(setting.general_variable))
        if text is not None:
            value = [part.strip() for part in text.split(",")] if setting.is_list else text
            configured.setdefault(setting.command, {})[setting.parameter] = value
    return configured


def unknown_variables(settings: list[Setting], environment: Mapping[str, str]) -> list[str]:
    """Sentences about LEAKSCAN_* variables that look like an option's and are none."""
    known = {setting.variable for setting in settings}
    known |= {setting.general_variable for setting in settings}
    said = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known | SWITCHES:
            near = _nearest(name, sorted(known), cutoff=0.8)
            said += [f"{name} is not known; nearest: {near[0]}"] if near else []
    return said


def _text_of_file(folder: Path) -> tuple[Path, str]:
    path = next((each / FILE for each in (folder, *folder.parents) if (each / FILE).is_file()), folder / FILE)
    try:
        return path, path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return path, ""


def _nearest(word: str, known: list[str], *, cutoff: float) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(word, known, n=1, cutoff=cutoff)


def _from_file(settings: list[Setting], folder: Path) -> Defaults:
    path, text = _text_of_file(folder)
    if "leakscan" not in text:
        return {}
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get("leakscan", {})
    except tomllib.TOMLDecodeError as error:
        if "tool.leakscan" not in text:
            return {}
        raise UsageError(f"{path} is not TOML: {error}", hint="[tool.leakscan] is read from it") from None
    if not isinstance(table, dict):
        raise UsageError(f"{path}: tool.leakscan is not a table", hint="[tool.leakscan]")
    configured: Defaults = {}
    commands = {setting.command for setting in settings}
    general = {key: value for key, value in table.items() if key not in commands}
    shared = [setting for setting in settings if setting.general_variable]
    _take(configured, shared, general, where=f"{path}: [tool.leakscan]", also=commands)
    for command in sorted(commands & set(table)):
        if not isinstance(table[command], dict):
            raise UsageError(
                f"{path}: tool.leakscan.{command} is not a table", hint=f"[tool.leakscan.{command}]"
            )
        own = [setting for setting in settings if setting.command == command]
        _take(configured, own, table[command], where=f"{path}: [tool.leakscan.{command}]", also=set())
    return configured


def _take(
    configured: Defaults, settings: list[Setting], table: dict[str, Any], *, where: str, also: set[str]
) -> None:
    for key, value in table.items():
        written = key.replace("_", "-")
        meant = [setting for setting in settings if setting.key == written]
        if not meant:
            near = _nearest(written, sorted({each.key for each in settings} | also), cutoff=0.5)
            raise UsageError(
                f"{where} has no key {key!r}",
                hint=f"nearest: {near[0]}" if near else "docs/reference/configuration.md has all keys",
            )
        for setting in meant:
            configured.setdefault(setting.command, {})[setting.parameter] = _checked(setting, value, where)


def _checked(setting: Setting, value: Any, where: str) -> Any:  # Any: TOML values
    if setting.is_flag:
        fits = isinstance(value, bool)
    elif setting.is_list:
        fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    else:
        fits = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    if not fits:
        wanted = "true or false" if setting.is_flag else "a list of texts" if setting.is_list else "one value"
        raise UsageError(f"{where}: {setting.key} is not {wanted}", hint=f"--{setting.key}: {setting.help}")
    return value
