"""The native server's scenarios, and the generated part of docs/explanation/native-server.md."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from leakscan.analysis.results.memory import MemoryLedger
from leakscan.wording import size_text
from seeds_measure import FIXTURES, Cell, Measure, measured
from seeds_text import Claim, Page, code, false_of, paragraphs, projected, table

Native = list[tuple[dict[str, Any], Cell]]  # Any: TOML values
FIGURES = {
    "malloc in use": "malloc_used_bytes",
    "malloc mapped": "malloc_mapped_bytes",
    "malloc free": "malloc_free_bytes",
    "pools": "pool_resident_bytes",
    "RSS": "rss_bytes",
}
RUNS = 8
STANDS_STILL = 100_000
"""bytes per run that are no growth"""
GONE_BYTES = 11_105_388 * 1024
"""RSS of the document's process when it was killed"""


def native() -> Native:
    told = tomllib.loads((FIXTURES / "native_server" / "memory.toml").read_text())["scenario"]
    asked = [
        Measure(target=each["target"], runs=each.get("runs", RUNS), warmup=each.get("warmup", 2))
        for each in told
    ]
    return list(zip(told, measured(asked, what="native server"), strict=True))


def native_page(cells: Native) -> Page:
    said = claims(cells)
    head = ["scenario", "the heap", "objects", *FIGURES, "the ledger says", "and names"]
    of_server = [each for each in cells if ".growth:" not in each[0]["target"]]
    parts = [
        "## The server",
        "Bytes per request, over 8 of them; `-` is less than 100 kB. With trimming over 16: what is "
        "left goes on.",
        table(head, _rows(of_server)),
        "## What is ahead",
        table(["request", "100 requests", "1 000", "10 000"], _ahead(of_server)),
        "## Each kind of growth alone",
        "About 4 MB a run.",
        table(head, _rows([each for each in cells if each not in of_server])),
        "## What follows",
        paragraphs(said),
    ]
    wrong = [what for scenario, cell in cells for what in disagreements(scenario, cell)]
    return Page("native-server.md", "\n\n".join(parts) + "\n", wrong + false_of(said))


def disagreements(scenario: dict[str, Any], cell: Cell) -> Iterable[str]:
    """What differs from memory.toml."""
    told = [str(cell.findings.verdict), str(_ledger(cell).cause), *_ledger(cell).causes[:1]]
    expected = [scenario[name] for name in ("verdict", "ledger", "line") if name in scenario]
    if told[: len(expected)] != expected:
        yield f"{scenario['target']}: {expected} expected, {told}"
    for figure, (least, most) in scenario["moves"].items():
        if not least <= cell.grew(figure) <= most:
            yield f"{scenario['target']}: {figure} grew by {cell.grew(figure):.0f} per run"


def claims(cells: Native) -> list[Claim]:
    by_name = {scenario["target"].rpartition(":")[2]: cell for scenario, cell in cells}

    def rss(name: str) -> float:
        return by_name[name].grew("rss_bytes")

    forgets, small = rss("request_forgets"), rss("request_forgets_small")
    holes, trimmed = rss("request_fragments"), rss("request_fragments_trim")
    flat = ("request_forgets", "request_timers", "request_fragments")
    return [
        Claim(
            "**The heap is innocent, and says so.** Forgotten result buffers, timers that hold buffers "
            f"and holes in arenas grow RSS by {size_text(forgets)}, {size_text(rss('request_timers'))} "
            f"and {size_text(holes)} per request, while a full collection runs after each of them and no "
            "object grows. What the document saw (a heap of 8 MB in 11 GB that answers "
            "to the collector) is what a native leak looks like, and tools for the heap cannot see more.",
            all(not by_name[name].findings.leaks and rss(name) > 400_000 for name in flat),
        ),
        Claim(
            "**An unbounded map of sessions is not it.** The document lists it among the contributing "
            "factors. Such a map is heap: it would show as objects (`small_objects` in the table), and "
            "the heap was flat.",
            by_name["small_objects"].is_leak and by_name["small_objects"].bytes_per_run > 4_000_000,
        ),
        Claim(
            "**A smaller pool closes no leak.** A pool that keeps its last results is bounded by its "
            f"size from the start ({size_text(rss('request_pooled'))} per request when it is full). Where "
            f"results are forgotten, one connection leaks as fast as four: {size_text(small)} per "
            f"request, {size_text(forgets)} before. "
            '"Connection pools are dangerous" is true of the level, not of the slope.',
            abs(rss("request_pooled")) < STANDS_STILL and abs(small - forgets) < STANDS_STILL,
        ),
        Claim(
            "**Fragmentation is not forgotten memory.** malloc_trim after each request brings "
            f"{size_text(holes)} down to {size_text(trimmed)} per request, one page for each block of "
            "which a word stays. Nothing gives back what was forgotten. The document names both as one; "
            "the figures differ (malloc free grows, or malloc in use or mapped does).",
            trimmed < holes / 5,
        ),
        Claim(
            "**A restart every 1 000 thoughts bounds it, at a price.** At the measured slope that is "
            f"{size_text(1_000 * forgets)}; the 11 GB of the document are {GONE_BYTES / forgets:,.0f} "
            "requests. The limit belongs to memory, not to a count of thoughts: `leakscan watch` with a "
            "threshold acts on the one process it was given, where the document's loop kills whatever "
            "`pgrep` finds.",
            forgets > 0,
        ),
    ]


def _rows(cells: Native) -> Iterable[list[str]]:
    for scenario, cell in cells:
        grown = [cell.bytes_per_run, *(cell.grew(figure) for figure in FIGURES.values())]
        sizes = ["-" if abs(each) < STANDS_STILL else size_text(each) for each in grown]
        name = scenario["target"].rpartition(":")[2]
        heap = "leak" if cell.is_leak else "flat"
        yield [code(name), heap, *sizes, str(_ledger(cell).cause), ", ".join(_ledger(cell).causes) or "-"]


def _ledger(cell: Cell) -> MemoryLedger:
    assert cell.findings.memory is not None
    return cell.findings.memory


def _ahead(cells: Native) -> Iterable[list[str]]:
    for scenario, cell in cells:
        grows = cell.grew("rss_bytes") if cell.grew("rss_bytes") > STANDS_STILL else 0
        yield [code(scenario["target"].rpartition(":")[2]), *projected(grows)]
