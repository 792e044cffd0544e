"""The generated part of docs/explanation/streaming-agent.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leakscan.wording import count_text, rate_text, size_text
from seeds_combinations import combinations
from seeds_fixes import LEAKING, WAYS, Matrix, Row
from seeds_measure import Cell
from seeds_scenarios import Answer
from seeds_text import Claim, Page, cell_text, code, false_of, held_by, paragraphs, projected, table
from streamlab.fixes import BOUND, SEVEN

TOGETHER = (
    ("clear_buffers", "finalize_processor_state"),
    ("remove_listeners", "type_guards"),
    ("remove_listeners", "weak_references"),
    ("remove_listeners", "dispose"),
    SEVEN,
)
MODES = {"consume": "read", "abandon": "left", "error": "failing in the reader", "cancel": "cancelled"}


@dataclass(frozen=True, slots=True)
class Streams:
    matrix: Matrix
    tests: list[Answer]
    ways: list[Answer]

    @property
    def none(self) -> Row:
        return self.matrix.row()

    def test(self, name: str, mode: str) -> Cell:
        return next(
            each.leaky
            for each in self.tests
            if each.case.scenario["target"].endswith(f":{name}") and each.case.mode == mode
        )


def streams_page(streams: Streams) -> Page:
    matrix = streams.matrix
    told = combinations(matrix)
    asked = questions(streams)
    parts = [
        "## The seven fixes, measured",
        "Outputs that survive, and bytes that the heap grows by, per run; `-` where nothing leaks. The "
        "last two rows are not from the documents.",
        table(["fix", *(way for way, _, _ in WAYS), "leaks closed", "contract"], _rows(matrix)),
        "What breaks the contract, and how:",
        "\n".join(_breakages(matrix)),
        "## All 128 combinations",
        paragraphs(told),
        "## What is ahead",
        "The projection of the document on tests, and what leakscan measures in its scenario: streams of "
        "56 chunks with 40 characters each, which are left after three of them, or read to their end.",
        table(
            [
                "streams",
                "chunks expected",
                "when left",
                "when read",
                "memory expected",
                "when left",
                "when read",
            ],
            _expected(streams),
        ),
        "The streams of the matrix, with 80 kB of text each, without a fix:",
        table(["streams end", "100 streams", "1 000", "10 000"], _projections(streams.none)),
        "## What leakscan proposes",
        table(["streams end", "held by", "cut", "what people proposed for it"], _cuts(matrix)),
        "## The open questions",
        paragraphs(asked),
        "## The fourteen tests",
        table(["", "test", "the document says", "streams are", "leakscan says"], _tests(streams.tests)),
        "## Every way to end a stream",
        "Without a fix, and with leakscan's cut and the type guards.",
        table(["the model", "the reader", "without a fix", "held by", "fixed"], _ways(streams.ways)),
    ]
    wrong = [each.disagreement for each in (*streams.tests, *streams.ways) if each.disagreement]
    return Page(
        "streaming-agent.md",
        "\n\n".join(parts) + "\n",
        wrong + matrix.undecided + false_of([*told, *asked]),
    )


def questions(streams: Streams) -> list[Claim]:
    return [*_what_keeps(streams), *_buffers(streams), *_projected(streams), *_cleanup(streams)]


def _what_keeps(streams: Streams) -> Iterable[Claim]:
    none, listeners = streams.none, streams.matrix.row("remove_listeners")
    suspended = none.cells[2].findings.leaks[0]
    members = suspended.cut.members if suspended.cut else ()
    alone = ", ".join(f"`{each.pattern}` alone frees {each.frees_alone}" for each in members)
    yield Claim(
        "**What exactly keeps a `ModelOutput` alive?** Global references, and no cycle. A suspended "
        "stream is held twice, by the workflow's map of runs and by a listener on the bus: of "
        f"{suspended.count}, {alone}, both together {suspended.cut.frees if suspended.cut else 0}. A "
        "stream that is left or fails is held by its listeners only, one whose memory is malformed by "
        "the map only.",
        len(members) == 2
        and not any(each.frees_alone for each in members)
        and [len(none.cells[index].findings.leaks[0].cut.members) for index in (1, 3, 4)] == [1, 1, 1],
    )
    yield Claim(
        "Every stream of the matrix has the suspected cycle (its first chunk points back at its output). "
        f"Streams that are read to the end leave {rate_text(none.cells[0].per_run('ModelOutput'))} "
        "outputs per run all the same: the cycle is left to the collector, which does free it.",
        not none.cells[0].is_leak and none.cells[0].per_run("ModelOutput") == 0,
    )
    yield Claim(
        f"Removing the listeners alone closes {listeners.closed} of {len(LEAKING)} leaks, and of the "
        f"suspended stream it frees next to nothing: {size_text(none.cells[2].bytes_per_run)} per run "
        f"before, {size_text(listeners.cells[2].bytes_per_run)} after. A fix of one of two holders looks "
        "useless.",
        listeners.cells[2].is_leak and listeners.closed == 2,
    )


def _buffers(streams: Streams) -> Iterable[Claim]:
    none, clear = streams.none, streams.matrix.row("clear_buffers")
    both = streams.matrix.row("clear_buffers", "finalize_processor_state")
    bounded = streams.matrix.row("bounded_buffers")
    yield Claim(
        f"**Are the buffers the leak?** No. Emptying them on `finish` closes {clear.closed} of "
        f"{len(LEAKING)} leaks, emptying the processors' states too {both.closed}: the outputs stay, with "
        f"less in them ({size_text(both.cells[1].bytes_per_run)} per abandoned stream after "
        f"{size_text(none.cells[1].bytes_per_run)}), and a suspended stream never comes to `finish`. The "
        "documents feared that clearing breaks concurrent views. It does not: views that are open have "
        "their chunks already. It breaks the one that comes late, which waits for ever.",
        clear.closed == both.closed == 0
        and "concurrent_views" not in clear.broken
        and "late_reader" in clear.broken,
    )
    yield Claim(
        f"A bound of {BOUND} chunks closes {bounded.closed} leaks. It bounds an output, and what grows is "
        "the number of outputs; an empty buffer with a bound even weighs more than an empty list "
        f"({size_text(bounded.cells[4].bytes_per_run)} per malformed stream after "
        f"{size_text(none.cells[4].bytes_per_run)}).",
        bounded.closed == 0 and bounded.cells[4].bytes_per_run > none.cells[4].bytes_per_run,
    )
    grown = [
        row.type_name
        for answer in streams.tests
        for row in answer.leaky.findings.growth
        if row.type_name.startswith("streamlab.messages.") and row.delta > 0
    ]
    yield Claim(
        f"**Is the message list a leak?** No, and the documents were right: in {len(streams.tests)} "
        f"captures of their tests {len(grown)} message lists or messages survive, also where the output "
        "does.",
        not grown,
    )


def _projected(streams: Streams) -> Iterable[Claim]:
    read, left = streams.test("sustained_load", "consume"), streams.test("sustained_load", "abandon")
    yield Claim(
        "**Were the projections right?** In their size, for streams that are left; not for streams in "
        "general. The documents expect 5 to 10 MB for 100 streams of 56 chunks, whoever reads them. "
        f"Measured: nothing when they are read to the end, {size_text(100 * left.bytes_per_run)} when "
        "they are left. That 100 streams in a row did not run out of memory, which the documents could "
        "not explain, fits this if those were read to the end.",
        not read.is_leak and left.is_leak,
    )


def _cleanup(streams: Streams) -> Iterable[Claim]:
    matrix, none = streams.matrix, streams.none
    listeners, dispose = matrix.row("remove_listeners"), matrix.row("dispose")
    yield Claim(
        "**Can consumption of all streams be detected?** That an *open* view has ended: yes, in every "
        "way to end, by `finally` in the view, and no check breaks. That no view will be opened any "
        "more: no. `dispose()`, which guesses it from the number of open views, breaks "
        f"{len(dispose.broken)} of the checks. Only the runtime knows it, when nobody holds the output.",
        not listeners.broken and not listeners.cells[1].is_leak and "late_reader" in dispose.broken,
    )
    yield Claim(
        f"**Automatic or explicit?** Automatic. The explicit `dispose()` closes {dispose.closed} of "
        f"{len(LEAKING)} leaks and makes a new one: it takes away listeners of views that still wait, "
        f"whose tasks then never end (held by {held_by(dispose.cells[1])}, "
        f"{size_text(dispose.cells[1].bytes_per_run)} per abandoned stream).",
        held_by(dispose.cells[1]) == "`Agent._tasks`" and not none.cells[1].per_run("Task"),
    )
    yield Claim(
        "**leakscan's cut** (views take their listeners off in `finally`; a suspended run goes on from a "
        f"token that its client holds) closes {matrix.cut.closed} of {len(LEAKING)} and breaks "
        f"{len(matrix.cut.broken)} checks. The leak that is left is the run that was stored before its "
        "memory raised; with the type guards, which the documents call a cure of symptoms, "
        f"{matrix.guarded_cut.closed} of {len(LEAKING)} are closed.",
        not matrix.cut.broken and not matrix.guarded_cut.broken and matrix.guarded_cut.closes_all,
    )


def _rows(matrix: Matrix) -> Iterable[list[str]]:
    for row, label in [
        (matrix.row(), "none"),
        *((matrix.row(name), f"{number} `{name}`") for number, name in enumerate(SEVEN, 1)),
        *((matrix.row(*names), " + ".join(map(code, names))) for names in TOGETHER[:-1]),
        (matrix.row(*SEVEN), "all seven"),
        (matrix.cut, "leakscan's cut"),
        (matrix.guarded_cut, "leakscan's cut + `type_guards`"),
    ]:
        contract = f"broken by {', '.join(map(code, row.broken))}" if row.broken else "kept"
        closed = f"{row.closed} of {len(LEAKING)}"
        yield [label, *map(cell_text, row.cells), closed, contract]


def _breakages(matrix: Matrix) -> Iterable[str]:
    for name in SEVEN:
        for check, what in matrix.row(name).broken.items():
            yield f"- `{name}`, `{check}`: {what}."


def _expected(streams: Streams) -> Iterable[list[str]]:
    cells = [streams.test("sustained_load", mode) for mode in ("abandon", "consume")]
    for count, memory in ((100, "5-10 MB"), (1_000, "50-100 MB"), (10_000, "500 MB - 1 GB")):
        chunks = [count_text(round(count * cell.per_run("Chunk"))) for cell in cells]
        sizes = [size_text(count * cell.bytes_per_run if cell.is_leak else 0) for cell in cells]
        yield [count_text(count), count_text(56 * count), *chunks, memory, *sizes]


def _projections(none: Row) -> Iterable[list[str]]:
    for (way, _, _), cell in zip(WAYS, none.cells, strict=True):
        yield [way, *projected(cell.bytes_per_run if cell.is_leak else 0)]


def _cuts(matrix: Matrix) -> Iterable[list[str]]:
    for at, (way, _, _) in enumerate(WAYS):
        cell = matrix.row().cells[at]
        for leak in cell.findings.leaks if cell.is_leak else ():
            cut = " and ".join(code(member.pattern) for member in leak.cut.members) if leak.cut else ""
            alone = [name for name in SEVEN if not matrix.row(name).cells[at].is_leak]
            proposed = ", ".join(f"{code(name)}{_price(matrix.row(name))}" for name in alone)
            yield [way, held_by(cell), cut, proposed]


def _price(row: Row) -> str:
    return " (breaks the contract)" if row.broken else ""


def _tests(tests: Sequence[Answer]) -> Iterable[list[str]]:
    for answer in tests:
        scenario, cell = answer.case.scenario, answer.leaky
        said = f"no leak ({cell.findings.verdict})"
        if cell.is_leak:
            said = f"leak, {cell_text(cell)} per run, {held_by(cell)}"
        name = scenario["target"].rpartition(":")[2]
        mode = MODES.get(answer.case.mode, answer.case.mode)
        yield [str(scenario["number"]), code(name), scenario["claim"], mode, said]


def _ways(ways: Sequence[Answer]) -> Iterable[list[str]]:
    for answer in ways:
        way = answer.case.scenario["target"].rpartition(":")[2].replace("_", " ")
        mode = MODES.get(answer.case.mode, answer.case.mode)
        holders = " and ".join(code(slot["holder"]) for slot in answer.case.held)
        fixed = answer.sound.findings.verdict if answer.sound else ""
        yield [way, mode, cell_text(answer.leaky), holders, fixed]
