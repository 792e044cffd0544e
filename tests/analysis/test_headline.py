"""The first line: pasted alone, it says what leaks, how fast, and where to look."""

from __future__ import annotations

from dataclasses import replace

import pytest

import findings_samples as samples
from leakscan.analysis.headline import headline, next_command, where
from leakscan.analysis.results.findings import Findings, Verdict
from leakscan.analysis.results.works import WorkShare

JUDGED = replace(samples.MODEL_OUTPUT, evidence="1 per run, every run")
ONE = replace(samples.TWO_HOLDERS, leaks=(JUDGED,))


def with_leaks(findings: Findings, *leaks: object) -> Findings:
    return replace(findings, leaks=leaks)


def test_one_leak_says_what_how_fast_and_where():
    assert headline(ONE) == (
        "LEAK  20 ModelOutput survive 20 runs: 1 per run, every run, held by Workflow._runs. "
        "41.2 MB retained, 2.06 MB per run."
    )


def test_several_leaks_give_their_number_and_the_worst():
    spans = replace(samples.SPANS, evidence="50 per run, every run")
    assert headline(with_leaks(samples.SEVERAL, JUDGED, samples.HELD_FROM_C, spans)) == (
        "LEAK  3 leaks in 20 runs; the worst: 20 ModelOutput, 1 per run, every run, held by Workflow._runs. "
        "All: 70.4 MB retained, 3.52 MB per run."
    )


@pytest.mark.parametrize(("of_chat", "said"), [(20, True), (19, True), (18, False)])
def test_the_request_is_named_when_nineteen_of_twenty_were_born_in_it(of_chat: int, said: bool):
    works = (WorkShare("POST /chat", 20, of_chat, 0, 0), WorkShare("GET /", 9, 20 - of_chat, 0, 0))
    assert (", born in POST /chat" in headline(with_leaks(ONE, replace(JUDGED, works=works)))) is said


def test_what_c_holds_is_said_to_be_held_from_c():
    assert headline(with_leaks(samples.TWO_HOLDERS, samples.HELD_FROM_C)) == (
        "LEAK  20 bytes survive 20 runs: exactly 1 per run in each of runs 1 to 20, "
        "held from C: an extension keeps a reference. 21.0 MB retained, 1.05 MB per run."
    )


def test_a_function_is_called_by_its_name():
    leak = replace(JUDGED, type_name="function", name="function watch.<locals>.on_chunk")
    assert headline(with_leaks(ONE, leak)).startswith("LEAK  20 function watch.<locals>.on_chunk survive")


def test_a_dict_is_called_by_its_holder():
    leak = replace(JUDGED, type_name="dict", name="dict in Workflow._runs[*]")
    assert headline(with_leaks(ONE, leak)).startswith(
        "LEAK  20 dict survive 20 runs: 1 per run, every run, held by Workflow._runs."
    )


def test_clean_says_so():
    assert headline(samples.CLEAN) == "NO LEAK  clean: nothing born in 20 runs is still alive."


def test_library_noise_alone_is_clean_and_counted():
    assert headline(replace(samples.CLEAN, noise=(samples.LAZY_PATTERN,))) == (
        "NO LEAK  clean: of 20 runs only 1 object (712 B) of library noise is still alive."
    )


def test_a_warm_up_says_when_it_was_over():
    leak = replace(samples.LAZY_PATTERN, noise="", last_run=2)
    assert headline(with_leaks(samples.WARM_UP, leak)) == (
        "NO LEAK  warm-up only: 1 object (712 B) was born by run 2 of 20 and none since."
    )


def test_bounded_names_the_holder_and_the_reason():
    cache = replace(samples.CACHE, evidence="bound 128 visible, full")
    assert headline(with_leaks(samples.BOUNDED, cache)) == (
        "NO LEAK  bounded: 128 Quote (1.05 MB), held by quote: bound 128 visible, full."
    )


def test_garbage_says_that_nothing_holds_it():
    assert headline(samples.GARBAGE) == (
        "NO LEAK  garbage: 20 000 objects (4.48 MB) were only waiting for the garbage collector; "
        "nothing holds them."
    )


def test_garbage_that_was_collected_after_each_run_has_the_size_of_one_run():
    findings = replace(samples.GARBAGE, garbage_bytes=0, garbage_bytes_per_run=224_000)
    assert headline(findings) == (
        "NO LEAK  garbage: 20 000 objects (224 kB after the last run) were only waiting for the garbage "
        "collector; nothing holds them."
    )


def test_inconclusive_says_why_and_what_to_run():
    findings = replace(samples.INCONCLUSIVE, next_command="leakscan capture shop.web:serve_once --runs 60")
    assert headline(findings) == (
        "INCONCLUSIVE  6 Session survive 8 runs, held by Plugin.instances: born in 6 of 8 runs; "
        "a cache that fills would look the same. Run next: leakscan capture shop.web:serve_once --runs 60"
    )


def test_the_next_command_repeats_the_mode():
    findings = replace(samples.TWO_HOLDERS, mode="abandon", verdict=Verdict.INCONCLUSIVE)
    assert next_command(findings, 60) == "leakscan capture streamlab:stream_once --runs 60 --mode abandon"


def test_the_next_command_can_be_pasted_whatever_the_target_is_called():
    findings = replace(samples.INCONCLUSIVE, target="my tests/test_a.py::test_it[a b]", mode="consume")
    command = "leakscan capture 'my tests/test_a.py::test_it[a b]' --runs 60"
    assert next_command(findings, 60) == command


def test_there_is_no_next_command_without_a_target():
    assert next_command(replace(samples.TWO_HOLDERS, target=""), 60) == ""


def test_where_time_would_decide_the_next_command_waits_for_a_minute():
    findings = replace(samples.TWO_HOLDERS, verdict=Verdict.INCONCLUSIVE)
    assert next_command(findings, 20, waits=True).endswith(" --settle 60")


def test_a_root_that_a_pattern_quotes_is_not_quoted_in_a_sentence():
    holder = replace(samples.MODEL_OUTPUT.holder, label="root 'atexit callbacks'")
    assert where(replace(samples.MODEL_OUTPUT, holder=holder)) == "held by atexit callbacks"
