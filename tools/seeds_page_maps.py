"""The generated part of docs/explanation/session-maps.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from leakscan.analysis.results.findings import Verdict
from leakscan.wording import rate_text, size_text
from seeds_maps import LAYERS, ROUNDS, Ending, bytes_per_round, disagreement
from seeds_measure import Cell
from seeds_text import Claim, Page, code, false_of, held_by, paragraphs, projected, table
from session_maps import contract
from session_maps.maps import MAXSIZE, Layers
from session_maps.rounds import CONTEXT_BYTES

Maps = list[tuple[Ending, dict[str, Cell]]]
EARLY, LATE = range(1, ROUNDS // 2 + 1), range(ROUNDS // 2 + 1, ROUNDS + 1)
DOCUMENT_ENTRIES, DOCUMENT_BYTES = 1_000, (600_000_000, 800_000_000)
"""the bound that the document proposes, and what it says that a round costs"""


def maps_page(maps: Maps) -> Page:
    said = claims(maps)
    parts = [
        "## Which layer is enough",
        f"The verdict after {ROUNDS} rounds. `leak` is one session per round and "
        f"{size_text(CONTEXT_BYTES)} of context with it (two where two run at once).",
        table(["how the session ends", *LAYERS], _verdicts(maps)),
        "## Growth per round",
        f"Objects and bytes per round, in rounds 1 to {EARLY[-1]} and in rounds {LATE[0]} to {LATE[-1]}: "
        "a leak goes on, a bounded map has stopped.",
        table(
            ["how the session ends", "layer", "objects, first", "then", "bytes, first", "then"], _growth(maps)
        ),
        "## What is ahead",
        table(["sessions end", "100 rounds", "1 000", "10 000"], _ahead(maps)),
        "## What each layer takes from sessions in use",
        table(["layer", *(check.__name__.replace("_", " ") for check in contract.CHECKS)], _contract()),
        "## What follows",
        paragraphs(said),
    ]
    wrong = [
        what
        for ending, cells in maps
        for layers, cell in cells.items()
        if (what := disagreement(ending, layers, cell))
    ]
    return Page("session-maps.md", "\n\n".join(parts) + "\n", wrong + false_of(said))


def claims(maps: Maps) -> list[Claim]:
    cells = {ending["target"].rpartition(":")[2]: by_layer for ending, by_layer in maps}
    stops = {layer: [name for name in cells if not cells[name][layer].is_leak] for layer in LAYERS}
    full = cells["lost"]["lru"].findings
    waiting = cells["waiting"]["all"]
    leaked = cells["lost"]["none"]
    return [
        Claim(
            "**The map is the leak, and the lost event its cause.** Every round whose event is lost "
            f"leaves one session, {size_text(leaked.bytes_per_run)}, held by {held_by(leaked)}; where the "
            "event arrives, none. But a turn that raises, a client that hangs up and a session that "
            "idles leave it as well, on every platform: the event is then never sent.",
            leaked.is_leak
            and not cells["delivered"]["none"].is_leak
            and all(cells[name]["none"].is_leak for name in ("failing", "abandoned", "idle")),
        ),
        Claim(
            f"**Time to live or the bound is enough** for each ending but one ({len(stops['ttl'])} of "
            f"{len(maps)} each, as all layers together); `finally` for {len(stops['in_finally'])}: an "
            f"idle session never comes to it. What leakscan says of the full map: *{full.headline}* It "
            "names the bound, so that a map that is full is not taken for one that grows.",
            stops["ttl"] == stops["lru"] == stops["all"]
            and "idle" not in stops["in_finally"]
            and full.verdict is Verdict.BOUNDED
            and f"bound {MAXSIZE} visible, full" in full.headline,
        ),
        Claim(
            f"**Clean-up at exit does nothing** for a process that grows: {len(stops['at_exit'])} of "
            f"{len(maps)}, the one that the event cleans anyway.",
            stops["at_exit"] == stops["none"] == ["delivered"],
        ),
        Claim(
            "**No layer of the map is enough when something else waits for the session.** A conversation "
            "whose coroutine waits for the next turn leaks with all layers on, held by "
            f"{held_by(waiting)}: taking it out of the map must also end the wait.",
            waiting.is_leak and held_by(waiting) == "`session_maps.endings._open`",
        ),
        Claim(
            "**What bounds the map takes sessions in use.** A client that thinks for longer than the "
            "time to live finds its session gone, and so does the least recent of more clients than the "
            "bound. `finally` takes nothing. The smallest fix is `finally` where the session is opened, "
            "and a time to live, longer than people think, for those that never end.",
            set(contract.broken_by(Layers(ttl=True))) == {"returns_late"}
            and set(contract.broken_by(Layers(lru=True))) == {"many_at_once"}
            and not contract.broken_by(Layers(in_finally=True)),
        ),
        Claim(
            f"**The proposed figures bound nothing.** {DOCUMENT_ENTRIES:,} entries at the document's own "
            f"600 to 800 MB per round are {size_text(DOCUMENT_ENTRIES * DOCUMENT_BYTES[0])} to "
            f"{size_text(DOCUMENT_ENTRIES * DOCUMENT_BYTES[1])}; 30 minutes to live, with a round each "
            "minute, 18 to 24 GB. A full map has (bound) x (size of a session) in it, here "
            f"{size_text(full.leaks[0].exclusive_bytes)} in {MAXSIZE}: the bound must be in bytes. That "
            "growth *per round* falls to 50 to 100 MB is not what these layers can do: it falls to 0, or "
            "not at all.",
            all(
                abs(bytes_per_round(cells["lost"][layer], LATE)) < CONTEXT_BYTES / 10
                for layer in ("ttl", "lru")
            ),
        ),
    ]


def _verdicts(maps: Maps) -> Iterable[list[str]]:
    for ending, cells in maps:
        yield [ending["says"], *(str(cell.findings.verdict) for cell in cells.values())]


def _growth(maps: Maps) -> Iterable[list[str]]:
    for ending, cells in maps:
        for layer, cell in cells.items():
            if layer in ("at_exit",) or not cells["none"].is_leak:
                continue
            objects = [rate_text(objects_per_round(cell, rounds)) for rounds in (EARLY, LATE)]
            sizes = [size_text(round(bytes_per_round(cell, rounds))) for rounds in (EARLY, LATE)]
            yield [ending["says"], code(layer), *objects, *sizes]


def objects_per_round(cell: Cell, rounds: Sequence[int]) -> float:
    rows = cell.findings.per_run
    return (rows[rounds[-1]].object_count - rows[rounds[0] - 1].object_count) / len(rounds)


def _ahead(maps: Maps) -> Iterable[list[str]]:
    for ending, cells in maps:
        yield [ending["says"], *projected(cells["none"].bytes_per_run if cells["none"].is_leak else 0)]


def _contract() -> Iterable[list[str]]:
    for layer in ("none", *(each.name for each in fields(Layers)), "all"):
        chosen = Layers(**{each.name: layer in (each.name, "all") for each in fields(Layers)})
        broken = contract.broken_by(chosen)
        yield [code(layer), *(broken.get(check.__name__, "kept") for check in contract.CHECKS)]
