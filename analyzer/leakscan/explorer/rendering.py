"""What a page is made from: what was asked, the templates, and the style that all of them have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path as PathOfFile
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined

from leakscan import __version__
from leakscan.analysis.objects.heap import Heap
from leakscan.analysis.results.findings import Verdict
from leakscan.errors import LeakscanError
from leakscan.explorer.looking import Explorer
from leakscan.explorer.treemap import HEIGHT, WIDTH
from leakscan.explorer.views import View
from leakscan.report.names import object_text, place
from leakscan.report.text.inspect import holder_text
from leakscan.report.text.leaks import growth_of
from leakscan.wording import count_text, rate_text, size_text, visible


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


def rendered(asked: Asked, template: str, status: int = 200, **values: Any) -> Page:
    explorer, heap = asked.explorer, None
    with suppress(LeakscanError):
        heap = explorer.heap
    return filled(
        template,
        status,
        base=asked.base,
        explorer=explorer,
        source=source_text(explorer.sources),
        has_findings=bool(explorer.findings),
        has_heap=heap is not None,
        is_v8=heap is not None and heap.graph.runtime == "v8",
        has_values=heap is not None and bool(heap.graph.text_values),
        around=asked.around,
        **values,
    )


def source_text(sources: Sequence[PathOfFile]) -> str:
    return ", ".join(source.name or str(source) for source in sources)


def filled(template: str, status: int, **values: Any) -> Page:
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
