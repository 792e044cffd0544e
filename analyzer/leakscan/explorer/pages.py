"""The pages: an address and its parameters in, HTML out. Everything that came out of a heap is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path as PathOfFile
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined

from leakscan import __version__
from leakscan.analysis.objects.around import view
from leakscan.analysis.objects.find import Search, search
from leakscan.analysis.objects.growing import Grown
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.objects.texts import with_same_text
from leakscan.analysis.results.findings import Findings, Path, Verdict
from leakscan.errors import LeakscanError
from leakscan.explorer.looking import Explorer
from leakscan.explorer.treemap import HEIGHT, WIDTH, treemap
from leakscan.explorer.views import View
from leakscan.heap.graph import U32
from leakscan.heap.texts import said_by
from leakscan.report.cuts import cut_steps
from leakscan.report.folding import fold_steps
from leakscan.report.names import object_text, place, short_names, type_names
from leakscan.report.text.inspect import holder_text
from leakscan.report.text.leaks import growth_of
from leakscan.wording import count_text, rate_text, size_text, visible

_ROWS: Final = 40
_MOST_ROWS: Final = 1_000
_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered: HTML, or (`location`) where to look instead."""

    status: int
    body: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """Which of several views a page is of, and the address of the list of them."""

    view: View
    address: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The explorer, where its pages begin, and the parameters of the address."""

    explorer: Explorer
    base: str
    parameters: Mapping[str, str]
    around: Around | None = None

    @property
    def heap(self) -> Heap:
        if self.explorer.heap is None:
            raise LeakscanError("a capsule holds answers, not the heap: there are no objects to look at")
        return self.explorer.heap

    def number(self, name: str, default: int = 0) -> int:
        text = self.parameters.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else default


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
            return _rendered(
                asked, "error.html.j2", 404, message="There is no such page.", hint="", title="Not found"
            )
        return make(asked, rest)
    except LeakscanError as error:
        return _rendered(
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
    source = _source_text(sorted({path for one in views for path in one.sources}))
    return _filled(
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
        return _dominators(asked, rest)
    told = [(at, found, type_names(found)) for at, found in enumerate(explorer.findings)]
    return _rendered(asked, "overview.html.j2", told=told, title="Leaks")


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
    return _rendered(
        asked, "leak.html.j2", found=found, leak=leak, names=names, paths=paths, what=what, title=what
    )


def _steps(path: Path) -> list[tuple[Any, int, str]]:
    """(step or None, its number, what stands in place of steps that are folded)."""
    return [(piece.step, piece.number, piece.note) for piece in fold_steps(path.steps, all_steps=False)]


def _object(asked: Asked, rest: str) -> Page:
    heap = asked.heap
    if not (rest.isdigit() and len(rest) < 12 and int(rest) < heap.graph.object_count):
        raise LeakscanError(f"there is no object #{rest}")
    rows = min(max(asked.number("rows", _ROWS), 1), _MOST_ROWS)
    seen = view(heap, int(rest), limit=rows, unused=asked.explorer.unused)
    others = [each.other for each in (*seen.fields, *seen.holders)]
    types = {each.type_name for each in (seen.this, *others, *seen.dominators, *seen.dominated)}
    names = short_names(types | {step.type_name for path in seen.paths for step in path.steps})
    kind = names.short(seen.this.type_name)
    return _rendered(
        asked, "object.html.j2", seen=seen, names=names, rows=rows, most=_MOST_ROWS, title=f"{kind} #{rest}"
    )


def _find(asked: Asked, rest: str) -> Page:
    text = asked.parameters.get("q", "").strip()
    if not text:
        return Page(303, "", f"{asked.base}/search")
    _ = asked.heap
    found = asked.explorer.find(text)
    if len(found) == 1:
        return Page(303, "", f"{asked.base}/object/{int(found[0])}")
    return _list(asked, found, f"{count_text(len(found))} objects are {text}")


def _search(asked: Asked, rest: str) -> Page:
    given = asked.parameters
    wanted = Search(
        type_name=given.get("type", "").strip(),
        attribute=given.get("attribute", "").strip(),
        least_bytes=asked.number("least"),
        born_in=asked.number("born") if given.get("born", "").isdigit() else None,
    )
    if wanted == Search():
        return _rendered(asked, "search.html.j2", wanted=wanted, listed=None, names=None, title="Search")
    heap = asked.heap
    found = search(heap.graph, wanted, retained=heap.retained)
    listed = heap.listed(found, _LISTED)
    names = short_names(each.type_name for each in listed.objects)
    return _rendered(asked, "search.html.j2", wanted=wanted, listed=listed, names=names, title="Search")


def _list(asked: Asked, found: U32, title: str) -> Page:
    listed = asked.heap.listed(found, _LISTED)
    names = short_names(each.type_name for each in listed.objects)
    return _rendered(asked, "list.html.j2", listed=listed, names=names, title=title)


def _dominators(asked: Asked, rest: str) -> Page:
    heap = asked.heap
    count = heap.graph.object_count
    under = asked.number("under", count)
    if under > count:
        raise LeakscanError(f"there is no object #{under}")
    rows = [heap.named(obj) for obj in heap.biggest(heap.dominated_by(under), _ROWS).tolist()]
    below = {
        row.object: [heap.named(obj) for obj in heap.biggest(heap.dominated_by(row.object), 8).tolist()]
        for row in rows
    }
    names = short_names(
        {each.type_name for each in (*rows, *(one for many in below.values() for one in many))}
    )
    chain = [] if under == count else [under, *heap.dominators_of(under)]
    return _rendered(
        asked,
        "dominators.html.j2",
        rows=rows,
        below=below,
        names=names,
        total=int(heap.retained[under]),
        others=len(heap.dominated_by(under)) - len(rows),
        above=[heap.named(obj) for obj in reversed(chain)],
        tiles=treemap(
            [row.retained_bytes for row in rows],
            [_tile_name(row.label, names.short(row.type_name)) for row in rows],
        ),
        title="What the memory hangs on",
    )


def _tile_name(label: str, kind: str) -> str:
    return visible(label) if label.endswith(kind) else f"{visible(label)} ({kind})"


def _types(asked: Asked, rest: str) -> Page:
    rows = asked.explorer.types[:200]
    names = [visible(row.type_name) for row in rows]
    tiles = treemap([row.retained_bytes for row in rows], names)
    left_out = len(asked.explorer.types) - len(rows)
    return _rendered(asked, "types.html.j2", rows=rows, tiles=tiles, left_out=left_out, title="Types")


def _growth(asked: Asked, rest: str) -> Page:
    found = asked.explorer.findings
    if not found:
        raise LeakscanError(
            "growth needs two snapshots", hint=asked.explorer.trouble or "leakscan open BEFORE AFTER"
        )
    tree = asked.explorer.growth
    told = [(one, _modules(one)) for one in found]
    if tree is None:
        empty: dict[str, Any] = {"below": None, "inner": [], "tiles": [], "links": [], "names": None}
        return _rendered(asked, "growth.html.j2", told=told, total=None, above=[], title="Growth", **empty)
    under = asked.number("under", tree.root)
    if under > tree.root:
        raise LeakscanError(f"there is no object #{under}")
    below = tree.below(under, _ROWS)
    inner = [
        tree.members(under, row.type_name, 8) if row.count > 1 else tree.below(row.object, 8).rows
        for row in below.rows
    ]
    names = short_names({each.type_name for each in (*below.rows, *(one for many in inner for one in many))})
    heap = tree.heap
    chain = [] if under == tree.root else [under, *heap.dominators_of(under)]
    return _rendered(
        asked,
        "growth.html.j2",
        told=told if under == tree.root else [],
        total=tree.total(under),
        below=below,
        inner=inner,
        names=names,
        above=[heap.named(obj) for obj in reversed(chain)],
        tiles=treemap(
            [row.grew_bytes for row in below.rows],
            [_grown_name(row, names.short(row.type_name)) for row in below.rows],
        ),
        links=[f"{asked.base}/growth?under={row.object}" for row in below.rows],
        title="Growth",
    )


def _grown_name(row: Grown, kind: str) -> str:
    return f"{count_text(row.count)} {kind}" if row.count > 1 else _tile_name(row.label, kind)


def _modules(found: Findings) -> list[tuple[str, int, list[Any]]]:
    """(module, bytes that it grew by, its types), most first."""
    modules: dict[str, list[Any]] = {}
    for row in found.growth:
        modules.setdefault(row.type_name.rpartition(".")[0] or "builtins", []).append(row)
    for rows in modules.values():
        rows.sort(key=lambda row: (row.bytes_before - row.bytes_after, row.type_name))
    sums = [
        (name, sum(row.bytes_after - row.bytes_before for row in rows), rows)
        for name, rows in modules.items()
    ]
    return sorted(sums, key=lambda each: (-each[1], each[0]))


def _strings(asked: Asked, rest: str) -> Page:
    explorer = asked.explorer
    is_hashed = bool(len(asked.heap.graph.text_objects))
    return _rendered(
        asked,
        "strings.html.j2",
        texts=explorer.texts,
        is_hashed=is_hashed,
        sizes=() if is_hashed else explorer.same_sizes,
        title="Texts that repeat",
    )


def _closures(asked: Asked, rest: str) -> Page:
    _ = asked.heap
    rows = asked.explorer.unused_rows
    return _rendered(asked, "closures.html.j2", rows=rows, title="Variables that no function uses")


def _text(asked: Asked, rest: str) -> Page:
    heap = asked.heap
    is_object = rest.isdigit() and len(rest) < 12 and int(rest) < heap.graph.object_count
    found = with_same_text(heap, int(rest) if is_object else heap.graph.object_count)
    if not len(found):
        raise LeakscanError(f"there is no text with a hash at #{rest}")
    said = said_by(heap.graph, int(rest))
    what = f"one text: {said}" if said else "one text"
    return _list(asked, found, f"{count_text(len(found))} objects with {what}")


def _whatif(asked: Asked, rest: str) -> Page:
    pattern = asked.parameters.get("cut", "").strip()
    if pattern:
        answer = asked.explorer.cut_pattern(pattern)
        return _rendered(
            asked,
            "whatif.html.j2",
            one=None,
            is_pattern=True,
            answer=answer,
            pattern=pattern,
            holders=[],
            title="What if",
        )
    heap, ref = asked.heap, asked.number("ref", -1)
    if not 0 <= ref < heap.graph.reference_count:
        raise LeakscanError("there is no such reference")
    one = asked.explorer.cut_one(ref)
    written = heap.names.slot_pattern(ref, every=False)
    # A reference to a namespace is written like its owner, and no pattern means it alone.
    is_pattern = written != one.source.label
    holders = [
        (heap.names.slot_pattern(other, every=False), int(heap.graph.ref_targets[other]), heap.source(other))
        for other in one.others[:_ROWS]
    ]
    return _rendered(
        asked,
        "whatif.html.j2",
        one=one,
        is_pattern=is_pattern,
        answer=None,
        pattern=written,
        holders=holders,
        title="What if",
    )


_PAGES: Final[Mapping[str, Callable[[Asked, str], Page]]] = {
    "": _overview,
    "leak": _leak,
    "object": _object,
    "find": _find,
    "search": _search,
    "dominators": _dominators,
    "types": _types,
    "growth": _growth,
    "strings": _strings,
    "text": _text,
    "closures": _closures,
    "whatif": _whatif,
}


def _rendered(asked: Asked, template: str, status: int = 200, **values: Any) -> Page:
    explorer, heap = asked.explorer, None
    with suppress(LeakscanError):
        heap = explorer.heap
    return _filled(
        template,
        status,
        base=asked.base,
        explorer=explorer,
        source=_source_text(explorer.sources),
        has_findings=bool(explorer.findings),
        has_heap=heap is not None,
        is_v8=heap is not None and heap.graph.runtime == "v8",
        has_values=heap is not None and bool(heap.graph.text_values),
        around=asked.around,
        **values,
    )


def _source_text(sources: Sequence[PathOfFile]) -> str:
    return ", ".join(source.name or str(source) for source in sources)


def _filled(template: str, status: int, **values: Any) -> Page:
    text = _environment().get_template(template).render(map_width=WIDTH, map_height=HEIGHT, **values)
    return Page(status, text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_part),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "size": size_text,
        "count": count_text,
        "rate": rate_text,
        "url": lambda text: quote(str(text), safe=""),
    }
    environment.globals |= {
        "version": __version__,
        "place": place,
        "object_text": object_text,
        "holder_text": holder_text,
        "growth_of": growth_of,
        "leak_word": Verdict.LEAK,
    }
    return environment


def _part(name: str) -> str:
    return (files("leakscan.explorer") / "templates" / name).read_text(encoding="utf-8")


@cache
def style() -> str:
    """The style sheet: that of the report, and what only the explorer has."""
    report = (files("leakscan.report.html") / "templates" / "report.css").read_text(encoding="utf-8")
    return report + _part("explorer.css")
