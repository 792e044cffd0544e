"""Pages of single objects: their fields and holders, what is found, and what would be freed."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.objects.around import view
from leakscan.analysis.objects.find import Search, search
from leakscan.analysis.objects.texts import with_same_text
from leakscan.errors import LeakscanError
from leakscan.explorer.rendering import Asked, Page, rendered
from leakscan.heap.graph import U32
from leakscan.heap.texts import said_by
from leakscan.report.names import short_names
from leakscan.wording import count_text

_ROWS: Final = 40
_MOST_ROWS: Final = 1_000
_LISTED: Final = 100


def object_page(asked: Asked, rest: str) -> Page:
    heap = asked.heap
    if not (rest.isdigit() and len(rest) < 12 and int(rest) < heap.graph.object_count):
        raise LeakscanError(f"there is no object #{rest}")
    rows = min(max(asked.number("rows", _ROWS), 1), _MOST_ROWS)
    seen = view(heap, int(rest), limit=rows, unused=asked.explorer.unused)
    others = [each.other for each in (*seen.fields, *seen.holders)]
    types = {each.type_name for each in (seen.this, *others, *seen.dominators, *seen.dominated)}
    names = short_names(types | {step.type_name for path in seen.paths for step in path.steps})
    kind = names.short(seen.this.type_name)
    return rendered(
        asked, "object.html.j2", seen=seen, names=names, rows=rows, most=_MOST_ROWS, title=f"{kind} #{rest}"
    )


def find_page(asked: Asked, rest: str) -> Page:
    text = asked.parameters.get("q", "").strip()
    if not text:
        return Page(303, "", f"{asked.base}/search")
    _ = asked.heap
    found = asked.explorer.find(text)
    if len(found) == 1:
        return Page(303, "", f"{asked.base}/object/{int(found[0])}")
    return _list(asked, found, f"{count_text(len(found))} objects are {text}")


def search_page(asked: Asked, rest: str) -> Page:
    given = asked.parameters
    wanted = Search(
        type_name=given.get("type", "").strip(),
        attribute=given.get("attribute", "").strip(),
        least_bytes=asked.number("least"),
        born_in=asked.number("born") if given.get("born", "").isdigit() else None,
    )
    if wanted == Search():
        return rendered(asked, "search.html.j2", wanted=wanted, listed=None, names=None, title="Search")
    heap = asked.heap
    found = search(heap.graph, wanted, retained=heap.retained)
    listed = heap.listed(found, _LISTED)
    names = short_names(each.type_name for each in listed.objects)
    return rendered(asked, "search.html.j2", wanted=wanted, listed=listed, names=names, title="Search")


def _list(asked: Asked, found: U32, title: str) -> Page:
    listed = asked.heap.listed(found, _LISTED)
    names = short_names(each.type_name for each in listed.objects)
    return rendered(asked, "list.html.j2", listed=listed, names=names, title=title)


def strings_page(asked: Asked, rest: str) -> Page:
    explorer = asked.explorer
    is_hashed = bool(len(asked.heap.graph.text_objects))
    return rendered(
        asked,
        "strings.html.j2",
        texts=explorer.texts,
        is_hashed=is_hashed,
        sizes=() if is_hashed else explorer.same_sizes,
        title="Texts that repeat",
    )


def closures_page(asked: Asked, rest: str) -> Page:
    _ = asked.heap
    rows = asked.explorer.unused_rows
    return rendered(asked, "closures.html.j2", rows=rows, title="Variables that no function uses")


def text_page(asked: Asked, rest: str) -> Page:
    heap = asked.heap
    is_object = rest.isdigit() and len(rest) < 12 and int(rest) < heap.graph.object_count
    found = with_same_text(heap, int(rest) if is_object else heap.graph.object_count)
    if not len(found):
        raise LeakscanError(f"there is no text with a hash at #{rest}")
    said = said_by(heap.graph, int(rest))
    what = f"one text: {said}" if said else "one text"
    return _list(asked, found, f"{count_text(len(found))} objects with {what}")


def whatif_page(asked: Asked, rest: str) -> Page:
    pattern = asked.parameters.get("cut", "").strip()
    if pattern:
        answer = asked.explorer.cut_pattern(pattern)
        return rendered(
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
    is_pattern = written != heap.slot(one.source.object)
    holders = [
        (heap.names.slot_pattern(other, every=False), int(heap.graph.ref_targets[other]), heap.source(other))
        for other in one.others[:_ROWS]
    ]
    return rendered(
        asked,
        "whatif.html.j2",
        one=one,
        is_pattern=is_pattern,
        answer=None,
        pattern=written,
        holders=holders,
        title="What if",
    )
