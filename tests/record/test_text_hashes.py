"""Equal strings are known by a hash and a length, and nothing tells what they say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import leakscan
from leakscan.heap.texts import texts_of
from walks import walk


def told(walked, thing):
    """(length, hash) of the text, None when it has none."""
    texts = texts_of(walked.heap)
    at = np.flatnonzero(texts.objects == walked.row(thing))
    return (int(texts.lengths[at[0]]), int(texts.hashes[at[0]])) if len(at) else None


class Name(str):
    pass


@pytest.mark.parametrize("text", ["plain", "ünï", "Ж" * 9, "\U0001f600!", ""])
def test_equal_strings_have_one_hash_and_their_length(text):
    made = ["".join([*text, "a", "b"]) for _ in range(2)]
    other = "".join([*text, "a", "c"])
    walked = walk()
    first, second = told(walked, made[0]), told(walked, made[1])
    assert made[0] is not made[1] and first == second
    assert first[0] == len(made[0])
    assert told(walked, other) != first


def test_bytes_and_strings_of_a_class_of_the_program_have_hashes_too():
    packed, again = bytes([1, 2, 3] * 20), bytes(bytearray([1, 2, 3] * 20))
    name, plain = Name("who is it" * 3), "".join(["who is it"] * 3)
    walked = walk()
    assert told(walked, packed) == told(walked, again)
    assert told(walked, packed)[0] == 60
    assert told(walked, name) == told(walked, plain)


def test_a_text_that_occurs_once_mostly_has_no_hash_for_hashes_cannot_be_compressed():
    many = [f"{number} of many {number}" for number in range(4000)]
    walked = walk()
    texts = texts_of(walked.heap)
    rows = [walked.row(one) for one in many]
    assert np.isin(rows, texts.objects).mean() < 0.3


def test_what_is_no_text_has_no_hash():
    thing, changeable = [1], bytearray(b"abc")
    walked = walk()
    assert told(walked, thing) is None and told(walked, changeable) is None


def test_a_text_of_more_than_sixteen_megabytes_is_not_read():
    long = bytes(17 << 20)
    assert told(walk(), long) is None


def test_nothing_says_what_a_text_is_unless_it_was_asked_for():
    made = ["".join(["who", " is it"]) for _ in range(2)]
    assert not walk().heap.text_values and made


def test_what_repeated_texts_say_is_recorded_when_asked_for_masked_and_cut():
    told = {
        "plain ünï": "plain ünï",
        "password=hunter2hunter2 x": "password=*** x",
        "long " + "y" * 400: "long " + "y" * 112 + "...",
        "a line\n\x00\ud800": "a line\n\x00?",
        b"\x00\xffA\\\n": "\\x00\\xffA\\x5c\\x0a",
        b"token=abcdefghijklmnop1234567890": "token=***",
        b"z" * 200: "z" * 117 + "...",
        b"\x00" * 600: "\\x00" * 29 + "\\...",
    }
    made = [said[:0].join([said[:1], said[1:]]) for said in told for _ in range(2)]
    once = "".join(["said ", str(len(made))])
    twice = [once + "y" * 400 for _ in range(2)]
    graph = walk(values=True).heap
    values = [graph.strings[string] for string in graph.text_values.values()]
    assert set(told.values()) <= set(values)
    # Constants may be there twice while pytest compiles; what is made here is one text.
    assert values.count(twice[0][:117] + "...") == 1
    assert once not in values and len(made) == 2 * len(told)


def test_redacted_keys_leave_values_out_too():
    assert not walk(redact_keys=True, values=True).heap.text_values


def test_redacted_keys_leave_the_hashes_out_too():
    assert not len(texts_of(walk(redact_keys=True).heap).objects)


PROGRAM = """
import sys
import leakscan
secret = "".join(["hunter", "2"])
leakscan.snapshot(sys.argv[1])
"""


def test_another_process_has_other_hashes_so_that_none_can_be_looked_up(tmp_path):
    found = []
    for number in range(2):
        path = tmp_path / f"{number}.heap"
        subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, timeout=120)
        assert b"hunter2" not in Path(path).read_bytes()
        graph = leakscan.load(path)
        found.append(set(texts_of(graph).hashes.tolist()))
    assert found[0] and not found[0] & found[1]
