"""The claims of the three documents about the streaming agent."""

from __future__ import annotations

from leakscan.wording import rate_text, size_text
from seeds_fixes import LEAKING, Row
from seeds_measure import Cell
from seeds_page import Streams
from seeds_said import Judged, Said
from seeds_text import held_by
from streamlab.fixes import BOUND, SEVEN

FIXES = "[fixes](streaming-agent.md#the-seven-fixes-measured)"
SETS = "[combinations](streaming-agent.md#all-128-combinations)"
QUESTIONS = "[questions](streaming-agent.md#the-open-questions)"
TESTS = "[tests](streaming-agent.md#the-fourteen-tests)"
WAYS = "[ways to end](streaming-agent.md#every-way-to-end-a-stream)"
AHEAD = "[ahead](streaming-agent.md#what-is-ahead)"


def fixes_document(streams: Streams) -> list[Said]:
    matrix, none = streams.matrix, streams.none
    rows = {name: matrix.row(name) for name in SEVEN}
    leaks, read, left = len(LEAKING), none.cells[0], none.cells[1]
    finalized = rows["finalize_processor_state"].cells[1]
    bounded, weak, dispose = rows["bounded_buffers"], rows["weak_references"], rows["dispose"]
    messages = [
        row.type_name
        for answer in streams.tests
        for row in answer.leaky.findings.growth
        if row.type_name.startswith("streamlab.messages.") and row.delta > 0
    ]
    return [
        Said(
            "Clearing buffers may break concurrent access to the views",
            Judged.WRONG,
            "Views that are open have their chunks; the view that comes late waits for ever",
            SETS,
            list(rows["clear_buffers"].broken) == ["late_reader"],
        ),
        Said(
            "Finding 1: fifteen buffers are never cleared",
            Judged.PARTLY,
            f"They are not, and need not be: {_outputs(read)} outputs survive a stream that is read to "
            "the end",
            FIXES,
            not read.is_leak,
        ),
        Said(
            "10 to 50 MB per request",
            Judged.PARTLY,
            f"As much as the answer, several times over: {size_text(left.bytes_per_run)} for 80 kB of "
            "text in a stream that is left",
            FIXES,
            left.bytes_per_run > 2 * 80_000,
        ),
        Said(
            "Finding 2: suspended runs stay in the map",
            Judged.RIGHT,
            f"{_outputs(none.cells[2])} per stream; and so do runs whose memory raised, which no document "
            "saw",
            FIXES,
            none.cells[2].is_leak and none.cells[4].is_leak,
        ),
        Said(
            "5 to 10 MB per workflow",
            Judged.WRONG,
            f"{size_text(none.cells[4].bytes_per_run)} for a run without chunks; the rest is its output's",
            FIXES,
            none.cells[4].bytes_per_run < 10_000,
        ),
        Said(
            "Finding 3: the processors' states accumulate all parts",
            Judged.PARTLY,
            f"For as long as the output lives: emptied, {size_text(finalized.bytes_per_run)} of "
            f"{size_text(left.bytes_per_run)} are left per abandoned stream, and as many outputs",
            FIXES,
            finalized.is_leak and finalized.bytes_per_run < left.bytes_per_run,
        ),
        Said(
            "Finding 4: listeners are removed on finish only, not on timeout or errors",
            Judged.RIGHT,
            f"{_count(streams, 'finished', leaking=True)} of 6 ways to end a good stream leave one output "
            "each",
            WAYS,
            _count(streams, "finished", leaking=True) == 4,
        ),
        Said(
            "Fix 1 (clear buffers) addresses the accumulation directly",
            Judged.WRONG,
            f"It closes {rows['clear_buffers'].closed} of {leaks} leaks",
            FIXES,
            rows["clear_buffers"].closed == 0,
        ),
        Said("Fix 1 may break replay", Judged.RIGHT, _broken(rows["clear_buffers"]), FIXES),
        Said(
            "Fix 2 (finalize states) is viable",
            Judged.WRONG,
            _broken(rows["finalize_processor_state"]),
            FIXES,
            bool(rows["finalize_processor_state"].broken),
        ),
        Said(
            "Fix 2 is insufficient alone",
            Judged.RIGHT,
            f"It closes {rows['finalize_processor_state'].closed} of {leaks}",
            FIXES,
            rows["finalize_processor_state"].closed == 0,
        ),
        Said(
            "Fix 3: chunks that point back at their output may be what holds it",
            Judged.WRONG,
            "Every measured stream has that cycle; those that are read are collected",
            QUESTIONS,
            not read.is_leak,
        ),
        Said(
            "Fix 3: listeners may be what holds it",
            Judged.RIGHT,
            f"Removing them closes {rows['remove_listeners'].closed} of {leaks}, and keeps the contract",
            FIXES,
            rows["remove_listeners"].closed == 2 and not rows["remove_listeners"].broken,
        ),
        Said(
            "Fix 3: runs may be held by global references",
            Judged.RIGHT,
            f"{held_by(none.cells[2])} of a module's workflow, and the bus of another module",
            QUESTIONS,
            held_by(none.cells[2]) == "`Workflow._runs`",
        ),
        Said(
            "Fix 4 (dispose) preserves functionality during active use",
            Judged.WRONG,
            _broken(dispose),
            FIXES,
            "one_leaves_early" in dispose.broken,
        ),
        Said(
            "Fix 4 is potentially viable",
            Judged.WRONG,
            f"It closes {dispose.closed} of {leaks}, opens a leak held by {held_by(dispose.cells[1])}, "
            "and undoes two other fixes",
            SETS,
            dispose.closed == 1,
        ),
        Said(
            "Fix 5 (bounded buffers) bounds memory",
            Judged.WRONG,
            f"It bounds an output, not their number: {bounded.closed} of {leaks} closed",
            FIXES,
            bounded.closed == 0,
        ),
        Said(
            "Fix 5 may break replay for large streams",
            Judged.RIGHT,
            f"From chunk {BOUND + 1} on; and the structured output too",
            FIXES,
            set(bounded.broken) == {"late_reader", "structured_output"},
        ),
        Said(
            "Fix 6 (weak references) allows collection when not in use",
            Judged.RIGHT,
            f"It closes {weak.closed} of {leaks}",
            FIXES,
            weak.closed == leaks,
        ),
        Said("Fix 6 preserves functionality", Judged.WRONG, _broken(weak), FIXES, bool(weak.broken)),
        Said(
            "Fix 7 (type guards) fixes symptoms only",
            Judged.WRONG,
            "It closes the leak of runs whose memory is malformed, alone",
            FIXES,
            rows["type_guards"].closed == 1 and not rows["type_guards"].cells[4].is_leak,
        ),
        Said(
            "Fix 7 should be implemented regardless",
            Judged.RIGHT,
            "It breaks nothing, and leakscan's cut needs it to close all",
            SETS,
            not rows["type_guards"].broken and matrix.cut.closed == leaks - 1,
        ),
        Said(
            "A fix must allow full, object and text view at once, and the structured output",
            Judged.RIGHT,
            "They are checks of the contract, with late readers, early leavers and resumed runs; the map "
            "of 128 rows says which fixes break which",
            SETS,
        ),
        Said(
            "Question 1: what keeps outputs alive?",
            Judged.ANSWERED,
            "Two slots, the map of runs and the listeners",
            QUESTIONS,
        ),
        Said(
            "Question 2: can the end of all reading be detected?",
            Judged.ANSWERED,
            "Of views that are open, yes; of views to come, no",
            QUESTIONS,
        ),
        Said("Question 3: automatic or explicit clean-up?", Judged.ANSWERED, "Automatic", QUESTIONS),
        Said("Question 4: how do other libraries do it?", Judged.OPEN, "A model cannot say", QUESTIONS),
        Said("Question 5: is it specific to deployments?", Judged.OPEN, "A model cannot say", QUESTIONS),
        Said(
            "The message list is no leak",
            Judged.RIGHT,
            f"{len(messages)} message lists or messages survive {len(streams.tests)} captures",
            QUESTIONS,
            not messages,
        ),
        Said(
            "A number is passed where a message belongs, which raises",
            Judged.RIGHT,
            "Reproduced; and the run that was stored before it raised is never taken out",
            TESTS,
            streams.test("malformed_memory", "consume").is_leak,
        ),
    ]


def analysis_document(streams: Streams) -> list[Said]:
    none, matrix = streams.none, streams.matrix
    read, left = streams.test("multi_step", "consume"), streams.test("multi_step", "abandon")
    second = streams.test("second_execution", "consume")
    suspended = none.cells[2]
    return [
        Said(
            "Every usage shows the same symptoms, for all of them run workflows",
            Judged.WRONG,
            "What decides is how a stream ends: read to the end, none leaks",
            WAYS,
            not none.cells[0].is_leak,
        ),
        Said(
            "The map of runs is a potential leak",
            Judged.RIGHT,
            "For suspended runs and for those whose preparation raised",
            FIXES,
            suspended.is_leak and none.cells[4].is_leak,
        ),
        Said(
            "Primary suspect: the buffers behind the emitter accumulate for ever",
            Judged.WRONG,
            "The emitter is it, by its listeners; no buffer outlives its output",
            QUESTIONS,
            matrix.row("clear_buffers").closed == 0 and matrix.row("remove_listeners").closed == 2,
        ),
        Said("Emitters' listeners are a potential leak", Judged.RIGHT, "Held by them in 3 ways of 4", FIXES),
        Said(
            "Hypothesis 1: reference cycles",
            Judged.WRONG,
            "No path of a leak goes through one",
            QUESTIONS,
            not none.cells[0].is_leak,
        ),
        Said(
            "Hypothesis 2: outputs and workflow instances are not collected",
            Judged.RIGHT,
            "When they are suspended, left, failing or malformed",
            FIXES,
            all(none.cells[at].is_leak for at in LEAKING),
        ),
        Said(
            "Hypothesis 3: buffers at several levels compound it",
            Judged.RIGHT,
            f"The same 80 kB of text weigh {size_text(suspended.bytes_per_run)}",
            FIXES,
            suspended.bytes_per_run > 2 * 80_000,
        ),
        Said(
            "Pattern 1: large objects x chunks x steps grow exponentially",
            Judged.WRONG,
            f"Ten steps of 100 chunks leave nothing when read, and {size_text(left.bytes_per_run)} per "
            "stream when left, the same in every run",
            TESTS,
            not read.is_leak and left.findings.leaks[0].every_run,
        ),
        Said(
            "The second execution with 20 000 tokens runs out of memory",
            Judged.OPEN,
            f"Two executions a run leave nothing ({second.findings.verdict}); a peak is no leak, and not "
            "measured",
            TESTS,
            not second.is_leak,
        ),
        Said(
            "Pattern 2: each stream leaves a workflow and buffers that are never released",
            Judged.PARTLY,
            "Each that is not read to its end",
            WAYS,
            not none.cells[0].is_leak and none.cells[1].is_leak,
        ),
        Said(
            "Pattern 3: accumulated buffers create malformed data",
            Judged.WRONG,
            "It is the other way round: the malformed answer makes a run that stays",
            TESTS,
            none.cells[4].is_leak,
        ),
        Said(
            "Services crash after 5 to 30 minutes",
            Judged.OPEN,
            f"At {size_text(suspended.bytes_per_run)} per stream 4 GB are full after "
            f"{4e9 / suspended.bytes_per_run:,.0f} suspended streams",
            AHEAD,
        ),
        Said("A commit of October 2025 introduced it", Judged.OPEN, "Not modelled", QUESTIONS),
    ]


def tests_document(streams: Streams) -> list[Said]:
    read = [each.leaky for each in streams.tests if each.case.mode == "consume"]
    silent = [cell for cell in read if not cell.is_leak]
    left, large = streams.test("sustained_load", "abandon"), streams.test("large_payload", "cancel")
    times = large.bytes_per_run / left.bytes_per_run
    return [
        Said("There are fourteen tests", Judged.WRONG, "Thirteen are described", TESTS),
        Said(
            "All tests fail, which confirms the leaks",
            Judged.WRONG,
            f"{len(silent)} of the {len(read)} scenarios leave nothing when their streams are read to the "
            "end",
            TESTS,
            len(silent) == len(read) - 2,
        ),
        *(
            Said(
                f"Test {number}: {claim}",
                Judged.PARTLY if told else Judged.WRONG,
                told or "No leak: what the test holds in its hand cannot go",
                TESTS,
                streams.test(name, "consume").is_leak is False,
            )
            for number, name, claim, told in (
                (1, "buffer_retention", "101 chunks can be replayed, 0 expected", ""),
                (2, "parts_retention", "500 parts are kept, 0 expected", ""),
                (3, "multi_step", "1 000 parts are kept over 10 steps", "Only when the stream is left"),
                (4, "custom_state", "custom state is kept", ""),
                (6, "sustained_load", "20 streams of 56 chunks accumulate", "Only when they are left"),
                (7, "large_payload", "5 streams of 80 kB accumulate", "Only when they are cancelled"),
                (8, "second_execution", "two executions with 20 000 tokens accumulate", ""),
                (9, "thirty_streams", "30 streams accumulate", "Only when left or failing in the reader"),
                (10, "nested_json", "deeply nested objects accumulate", "Only when they time out"),
            )
        ),
        Said(
            "Tests 5 and 11: a number where a message belongs raises",
            Judged.RIGHT,
            "And the second of them leaks, which its test does not look for",
            TESTS,
            streams.test("malformed_memory", "consume").is_leak
            and not streams.test("type_guard", "consume").is_leak,
        ),
        Said(
            "Test 12: finished runs are taken out of the map",
            Judged.RIGHT,
            "No leak",
            TESTS,
            not streams.test("run_map_cleanup", "consume").is_leak,
        ),
        Said(
            "Test 13: listeners are taken off",
            Judged.PARTLY,
            "Of streams that finish; one that is left keeps its own",
            TESTS,
            streams.test("listener_cleanup", "abandon").is_leak
            and not streams.test("listener_cleanup", "consume").is_leak,
        ),
        Said(
            "Replay after the end proves that buffers are retained",
            Judged.WRONG,
            "It proves the contract (late readers replay): whoever asks an output holds it",
            QUESTIONS,
            not streams.test("buffer_retention", "consume").is_leak,
        ),
        Said(
            "100 streams did not run out of memory: it is more than buffers",
            Judged.RIGHT,
            "Streams that are read leave nothing, however many",
            QUESTIONS,
            not streams.test("sustained_load", "consume").is_leak,
        ),
        Said(
            "56 chunks are retained per stream",
            Judged.PARTLY,
            f"{rate_text(left.per_run('Chunk'))} per stream that is left, 0 per stream that is read",
            AHEAD,
            left.per_run("Chunk") > 50,
        ),
        Said(
            "5 to 10 MB after 100 streams",
            Judged.PARTLY,
            f"{size_text(100 * left.bytes_per_run)} with texts of 40 characters, if they are left",
            AHEAD,
            1e6 < 100 * left.bytes_per_run < 1e7,
        ),
        Said(
            "5 to 10 times as much with responses of 20 000 tokens",
            Judged.PARTLY,
            f"{times:.1f} times, for a stream that is cancelled: less is kept of one long text than of "
            "many short",
            TESTS,
            times > 1,
        ),
        Said("Heap snapshots would tell more", Judged.RIGHT, "This page", QUESTIONS),
    ]


def _outputs(cell: Cell) -> str:
    return rate_text(cell.per_run("ModelOutput"))


def _count(streams: Streams, way: str, *, leaking: bool) -> int:
    of_way = (each.leaky for each in streams.ways if each.case.scenario["target"].endswith(f":{way}"))
    return sum(cell.is_leak is leaking for cell in of_way)


def _broken(row: Row) -> str:
    """`late_reader`: a late reader waits for ever."""
    return "; ".join(f"`{name}`: {what}" for name, what in row.broken.items()) or "It breaks nothing"
