"""The ways in which objects of a type are held, in one snapshot, as text."""

from __future__ import annotations

from leakscan.analysis.one_snapshot import PathGroup, TypePaths
from leakscan.report.names import TypeNames, short_names
from leakscan.report.text.leaks import sentences
from leakscan.report.text.lines import Line, Span, line, shortened, wrapped
from leakscan.report.text.terminal import Screen
from leakscan.report.text.tree import path_tree
from leakscan.wording import count_text, size_text, visible

_OTHERS_SHOWN = 3


def type_paths_text(found: TypePaths, screen: Screen, *, all_paths: bool) -> list[Line]:
    """How many there are, then one path for each way in which they are held."""
    names = short_names(
        {group.type_name for group in found.groups}
        | {step.type_name for group in found.groups for path in group.paths for step in path.steps}
    )
    lines = _headline(found, screen)
    for group in found.groups:
        lines += [line(), *_group(group, names, screen.width, all_paths=all_paths)]
    if found.groups_omitted:
        text = (
            f"{count_text(found.groups_omitted)} more ways to {count_text(found.objects_omitted)} objects:"
            " --limit 0 shows all"
        )
        lines += [line(), line(Span(text, "faint"))]
    return lines


def _headline(found: TypePaths, screen: Screen) -> list[Line]:
    asked = visible(found.asked)
    ways = sum(len(group.paths) + group.paths_omitted for group in found.groups)
    held = found.count - found.unreachable
    text = f"{count_text(held)} {asked} held in {count_text(ways)} {'way' if ways == 1 else 'ways'}"
    groups = len(found.groups) + found.groups_omitted
    if found.groups_omitted:
        text = f"{count_text(held)} {asked} held in {count_text(groups)} groups of ways"
    elif groups > 1:
        text += f", in {count_text(groups)} groups"
    if not held:
        text = f"no {asked} is held by anything"
    if found.unreachable:
        text += f"; {count_text(found.unreachable)} wait for the garbage collector"
    return wrapped(text, screen.width, indent="  ", style="title")


def _group(group: PathGroup, names: TypeNames, width: int, *, all_paths: bool) -> list[Line]:
    size = f"{size_text(group.shallow_bytes)} shallow"
    lead = f"path {visible(group.signature)}   "
    room = width - len(lead) - len(size) - 2
    subject = shortened(f"{count_text(group.count)} x {names.short(group.type_name)}", room)
    lines = [line(Span(lead, "faint"), Span(subject, "title"), " " * (room - len(subject) + 2), size)]
    lines += path_tree(
        group.paths[0], names, width=width, indent=2, cut_steps=frozenset(), show_all=all_paths
    )
    others = group.paths[1:]
    if not others:
        return lines
    lines.append(line(Span("  also held by", "faint")))
    shown = others if all_paths else others[:_OTHERS_SHOWN]
    if all_paths:
        for path in shown:
            lines += path_tree(path, names, width=width, indent=4, cut_steps=frozenset(), show_all=True)
    else:
        lines += sentences(shown, names, width, above=group.paths[0])
    left_out = len(others) - len(shown) + group.paths_omitted
    if left_out:
        hint = "" if all_paths else ": --paths shows more"
        lines.append(line("    ", Span(f"{count_text(left_out)} more{hint}", "faint")))
    return lines
