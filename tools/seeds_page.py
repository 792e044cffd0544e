"""The generated part of docs/explanation/streaming-agent.md: tables, and answers with their own checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from leakscan.analysis.findings import Findings
from leakscan.analysis.wording import rate_text, size_text
from seeds_measure import SEVEN, WAYS, Cell, Row, disagreement
from streamlab.fixes import BOUND

LEAKING = tuple(range(1, len(WAYS)))
"""the ways to end whose streams leak when nothing is fixed"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the page and whether this measurement bears it out."""

    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Measured:
    rows: list[Row]
    tests: list[tuple[dict[str, Any], str, Cell]]
    maps: list[tuple[str, Findings]]
    native: list[tuple[str, Findings]]

    def row(self, label: str) -> Row:
        return next(row for row in self.rows if row.label == label)


def page(measured: Measured) -> str:
    """Markdown. The claims that do not hold are in it as well: `failed` names them."""
    parts = [
        "## The seven fixes, measured",
        _matrix_note(),
        _table(["fix", *(way for way, _, _ in WAYS), "leaks closed", "contract"], _matrix(measured.rows)),
        "What breaks the contract, and how:",
        "\n".join(_breakages(measured.rows)),
        "## What is ahead",
        _table(["streams end", "100 streams", "1 000", "10 000"], _projections(measured.row("none"))),
        "## What leakscan proposes",
        _table(["streams end", "held by", "cut"], _cuts(measured.row("none"))),
        "## The open questions",
        "\n\n".join(claim.text for claim in claims(measured)),
        "## The fourteen tests",
        _table(["", "test", "the document says", "streams are", "leakscan says"], _tests(measured.tests)),
        "## The session maps",
        _table(["clean-up", "verdict", "alive", "objects per round"], _maps(measured.maps)),
        "## The native server",
        _table(["request", "the heap's verdict", "heap per run", "RSS per run"], _native(measured.native)),
    ]
    return "\n\n".join(parts) + "\n"


def failed(measured: Measured) -> list[str]:
    """Sentences of the page that this measurement contradicts, and tests that differ from fourteen.toml."""
    wrong = [claim.text for claim in claims(measured) if not claim.holds]
    return wrong + [what for test in measured.tests if (what := disagreement(*test))]


def claims(measured: Measured) -> list[Claim]:
    return [
        *_what_keeps(measured),
        *_buffers(measured),
        *_messages(measured),
        *_projected(measured),
        *_detection(measured),
        *_cleanup(measured),
    ]


def _what_keeps(measured: Measured) -> Iterable[Claim]:
    none, listeners = measured.row("none"), measured.row("remove_listeners")
    suspended = none.cells[2].findings.leaks[0]
    members = suspended.cut.members if suspended.cut else ()
    alone = ", ".join(
        f"`{each.pattern}` alone frees {each.frees_alone} of {suspended.count}" for each in members
    )
    yield Claim(
        "**What exactly keeps a `ModelOutput` alive?** Global references, and no cycle. A suspended "
        "stream is "
        f"held twice, by the workflow's map of runs and by a listener on the bus: {alone}; both together "
        "free "
        f"{suspended.cut.frees if suspended.cut else 0}. A stream that is left or fails is held by its "
        "listeners "
        f"only, one whose memory is malformed by the map only.",
        len(members) == 2
        and not any(each.frees_alone for each in members)
        and [len(none.cells[index].findings.leaks[0].cut.members) for index in (1, 3, 4)] == [1, 1, 1],
    )
    yield Claim(
        "Every stream of the matrix has the suspected cycle (its first chunk points back at its output). "
        "Streams "
        f"that are read to the end leave {rate_text(none.cells[0].outputs_per_run)} outputs per run all "
        "the same: "
        f"the cycle is left to the collector, which does free it.",
        not none.cells[0].is_leak and none.cells[0].outputs_per_run == 0,
    )
    closed = _closed(listeners, none)
    yield Claim(
        f"Removing the listeners alone closes {closed} of {len(LEAKING)} leaks, and of the suspended "
        "stream it "
        f"frees nothing: {size_text(none.cells[2].bytes_per_run)} per run before, "
        f"{size_text(listeners.cells[2].bytes_per_run)} after. A fix of one of two holders looks useless.",
        listeners.cells[2].is_leak and closed == 2,
    )


def _buffers(measured: Measured) -> Iterable[Claim]:
    none, clear = measured.row("none"), measured.row("clear_buffers")
    both = measured.row("clear_buffers + finalize_processor_state")
    bounded = measured.row("bounded_buffers")
    yield Claim(
        f"**Are the buffers the leak?** No. Emptying them on `finish` closes {_closed(clear, none)} of "
        f"{len(LEAKING)} leaks, emptying the processors' states too {_closed(both, none)}: the outputs "
        "stay, "
        f"with less in them ({size_text(both.cells[1].bytes_per_run)} per abandoned stream after "
        f"{size_text(none.cells[1].bytes_per_run)}), and a suspended stream never comes to `finish`. "
        "The documents feared that clearing breaks concurrent views. It does not: views that are open "
        "have "
        f"their chunks already. It breaks the one that comes late, which waits for ever.",
        _closed(clear, none) == 0
        and _closed(both, none) == 0
        and "concurrent_views" not in clear.broken
        and "late_reader" in clear.broken,
    )
    yield Claim(
        f"A bound of {BOUND} chunks closes {_closed(bounded, none)} leaks. It bounds an output, and what "
        "grows is "
        f"the number of outputs; an empty buffer with a bound even weighs more than an empty list "
        f"({size_text(bounded.cells[4].bytes_per_run)} per malformed stream after "
        f"{size_text(none.cells[4].bytes_per_run)}).",
        _closed(bounded, none) == 0 and bounded.cells[4].bytes_per_run > none.cells[4].bytes_per_run,
    )


def _messages(measured: Measured) -> Iterable[Claim]:
    grown = [
        row.type_name
        for _, _, cell in measured.tests
        for row in cell.findings.growth
        if row.type_name.startswith("streamlab.messages.") and row.delta > 0
    ]
    yield Claim(
        f"**Is the message list a leak?** No, and the documents were right: in {len(measured.tests)} "
        "captures of "
        f"their tests {len(grown)} message lists or messages survive, also where the output does.",
        not grown,
    )


def _projected(measured: Measured) -> Iterable[Claim]:
    streams = {
        mode: cell
        for scenario, mode, cell in measured.tests
        if scenario["target"].endswith(":sustained_load")
    }
    left = streams["abandon"].bytes_per_run
    yield Claim(
        "**Were the projections right?** The documents expect 5 to 10 MB for 100 streams of 56 chunks, "
        "whoever reads "
        f"them. Measured with short texts: {size_text(100 * streams['consume'].bytes_per_run)} when they "
        "are read to "
        f"the end, {size_text(100 * left)} when they are left. That 100 streams in a row did not run out "
        "of memory, "
        "which the documents could not explain, fits this if those were read to the end.",
        not streams["consume"].is_leak and streams["abandon"].is_leak,
    )


def _detection(measured: Measured) -> Iterable[Claim]:
    listeners, dispose = measured.row("remove_listeners"), measured.row("dispose")
    yield Claim(
        "**Can consumption of all streams be detected?** That an *open* view has ended: yes, in every way "
        "to end, "
        "by `finally` in the view, and no check breaks. That no view will be opened any more: no. "
        "`dispose()`, which guesses it from the number of open views, breaks "
        f"{len(dispose.broken)} of the checks. Only the runtime knows it, when nobody holds the output.",
        not listeners.broken and not listeners.cells[1].is_leak and "late_reader" in dispose.broken,
    )


def _cleanup(measured: Measured) -> Iterable[Claim]:
    none, dispose = measured.row("none"), measured.row("dispose")
    weak, cut = measured.row("weak_references"), measured.row("leakscan's cut")
    guarded = measured.row("leakscan's cut + type_guards")
    holder = dispose.cells[1].findings.leaks[0].holder
    yield Claim(
        f"**Automatic or explicit?** Automatic. The explicit `dispose()` closes {_closed(dispose, none)} "
        "of "
        f"{len(LEAKING)} leaks and makes a new one: it takes away listeners of views that still wait, "
        "whose tasks "
        f"then never end (held by `{holder.label if holder else ''}`, "
        f"{size_text(dispose.cells[1].bytes_per_run)} per abandoned stream).",
        holder is not None and holder.label == "Agent._tasks",
    )
    yield Claim(
        f"Weak references close {_closed(weak, none)} of {len(LEAKING)}, and suspended runs with them: "
        "nobody can "
        "resume a run that only the map knew.",
        _closed(weak, none) == len(LEAKING) and list(weak.broken) == ["suspended_resumes"],
    )
    yield Claim(
        "**leakscan's cut** (views take their listeners off in `finally`; a suspended run goes on from a "
        "token "
        f"that its client holds) closes {_closed(cut, none)} of {len(LEAKING)} and breaks "
        f"{len(cut.broken)} checks. "
        "The leak that is left is the run that was stored before its memory raised; with the type guards, "
        "which "
        f"the documents call a cure of symptoms, {_closed(guarded, none)} of {len(LEAKING)} are closed.",
        not cut.broken and not guarded.broken and _closed(guarded, none) == len(LEAKING),
    )


def _matrix_note() -> str:
    return (
        "Outputs that survive and bytes that stay, per run; `-` where nothing leaks. The last two rows "
        "are not "
        "from the documents."
    )


def _matrix(rows: Sequence[Row]) -> Iterable[list[str]]:
    for row in rows:
        contract = "kept" if not row.broken else f"broken by {', '.join(f'`{name}`' for name in row.broken)}"
        alone = row.label in SEVEN
        label = f"{SEVEN.index(row.label) + 1} `{row.label}`" if alone else row.label.replace("_", "\\_")
        closed = f"{_closed(row, rows[0])} of {len(LEAKING)}"
        yield [label, *(_cell(cell) for cell in row.cells), closed, contract]


def _cell(cell: Cell) -> str:
    if not cell.is_leak:
        return "-"
    return f"{rate_text(cell.outputs_per_run)}, {size_text(cell.bytes_per_run)}"


def _closed(row: Row, none: Row) -> int:
    return sum(
        before.is_leak and not after.is_leak for before, after in zip(none.cells, row.cells, strict=True)
    )


def _breakages(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        if row.label in SEVEN:
            for check, what in row.broken.items():
                yield f"- `{row.label}`, `{check}`: {what}."


def _projections(none: Row) -> Iterable[list[str]]:
    for (way, _, _), cell in zip(WAYS, none.cells, strict=True):
        if cell.is_leak:
            yield [way, *(size_text(ahead.bytes) for ahead in cell.findings.projections)]


def _cuts(none: Row) -> Iterable[list[str]]:
    for (way, _, _), cell in zip(WAYS, none.cells, strict=True):
        for leak in cell.findings.leaks if cell.is_leak else ():
            members = leak.cut.members if leak.cut else ()
            held = f"`{leak.holder.label}`" if leak.holder else leak.path.root
            yield [way, held, " and ".join(f"`{member.pattern}`" for member in members)]


def _tests(tests: Sequence[tuple[dict[str, Any], str, Cell]]) -> Iterable[list[str]]:
    modes = {"consume": "read", "abandon": "left", "cancel": "cancelled", "error": "failing in the reader"}
    for scenario, mode, cell in tests:
        said = f"no leak ({cell.findings.verdict})"
        if cell.is_leak:
            holder = cell.findings.leaks[0].holder
            said = f"leak, {_cell(cell)} per run, `{holder.label if holder else ''}`"
        name = scenario["target"].rpartition(":")[2]
        yield [str(scenario["number"]), f"`{name}`", scenario["claim"], modes.get(mode, mode), said]


def _maps(maps: Sequence[tuple[str, Findings]]) -> Iterable[list[str]]:
    for name, findings in maps:
        sizes = [row for row in findings.growth if row.type_name.endswith(".SessionAgent")]
        alive, grew = sum(row.count_after for row in sizes), sum(row.delta for row in sizes)
        yield [f"`{name}`", findings.verdict, str(alive), rate_text(grew / findings.runs)]


def _native(native: Sequence[tuple[str, Findings]]) -> Iterable[list[str]]:
    for name, findings in native:
        first, last = findings.per_run[0], findings.per_run[-1]
        heap = (last.object_bytes - first.object_bytes) / findings.runs
        rss = (last.rss_bytes - first.rss_bytes) / findings.runs
        yield [f"`{name}`", findings.verdict, size_text(heap), size_text(rss)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
