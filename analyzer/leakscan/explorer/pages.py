"""The pages: an address and its parameters in, HTML out. Everything that came out of a heap is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from leakscan.analysis.results.findings import Path
from leakscan.errors import LeakscanError
from leakscan.explorer.looking import Explorer
from leakscan.explorer.memory_pages import dominators_page, growth_page, types_page
from leakscan.explorer.object_pages import (
    closures_page,
    find_page,
    object_page,
    search_page,
    strings_page,
    text_page,
    whatif_page,
)
from leakscan.explorer.rendering import Around, Asked, Page, filled, rendered, source_text
from leakscan.explorer.views import View
from leakscan.report.cuts import cut_steps
from leakscan.report.folding import fold_steps
from leakscan.report.names import type_names
from leakscan.wording import count_text


def answered(
    explorer: Explorer,
    path: str,
    parameters: Mapping[str, str],
    *,
    base: str,
    around: Around | None = None,
) -> Page:
    """The page at `path`, which begins after the token; errors are pages, too."""
    asked = Asked(explorer, base, parameters, around)
    first, _, rest = path.strip("/").partition("/")
    make = _PAGES.get(first)
    try:
        if make is None or (rest and not rest.isascii()):
            return rendered(
                asked, "error.html.j2", 404, message="There is no such page.", hint="", title="Not found"
            )
        return make(asked, rest)
    except LeakscanError as error:
        return rendered(
            asked, "error.html.j2", 404, message=error.message, hint=error.hint, title="Nothing found"
        )


def views_page(views: Sequence[View], explorers: Sequence[Explorer], *, base: str) -> Page:
    """The modes of a capture with what is said of each, or the snapshots of a series."""
    told = []
    for number, one in enumerate(views):
        found = explorers[number].findings if explorers else ()
        said = found[0].headline if found else explorers[number].trouble if explorers else ""
        told.append((one, said, f"{base}/in/{number}/" if explorers or number else f"{base}/"))
    title = "Modes" if explorers else "Snapshots"
    source = source_text(sorted({path for one in views for path in one.sources}))
    return filled(
        "views.html.j2",
        200,
        base=base,
        source=source,
        has_findings=False,
        has_heap=False,
        is_v8=False,
        has_values=False,
        around=None,
        told=told,
        title=title,
    )


def _overview(asked: Asked, rest: str) -> Page:
    explorer = asked.explorer
    if not explorer.findings and explorer.heap is not None:
        return dominators_page(asked, rest)
    told = [(at, found, type_names(found)) for at, found in enumerate(explorer.findings)]
    return rendered(asked, "overview.html.j2", told=told, title="Leaks")


def _leak(asked: Asked, rest: str) -> Page:
    mode, _, number = rest.partition("-")
    findings = asked.explorer.findings
    if not (mode.isdigit() and number.isdigit() and int(mode) < len(findings)):
        raise LeakscanError("there is no such leak")
    found = findings[int(mode)]
    leaks = (*found.leaks, *found.others, *found.noise)
    if int(number) >= len(leaks):
        raise LeakscanError("there is no such leak")
    leak, names = leaks[int(number)], type_names(found)
    paths = [(path, cut_steps(leak, path), _steps(path)) for path in (leak.path, *leak.also_held_by)]
    what = f"{count_text(leak.count)} {names.leak(leak)}"
    return rendered(
        asked, "leak.html.j2", found=found, leak=leak, names=names, paths=paths, what=what, title=what
    )


def _steps(path: Path) -> list[tuple[Any, int, str]]:
    """(step or None, its number, what stands in place of steps that are folded)."""
    return [(piece.step, piece.number, piece.note) for piece in fold_steps(path.steps, all_steps=False)]


_PAGES: Final[Mapping[str, Callable[[Asked, str], Page]]] = {
    "": _overview,
    "leak": _leak,
    "object": object_page,
    "find": find_page,
    "search": search_page,
    "dominators": dominators_page,
    "types": types_page,
    "growth": growth_page,
    "strings": strings_page,
    "text": text_page,
    "closures": closures_page,
    "whatif": whatif_page,
}
