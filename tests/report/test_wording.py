from __future__ import annotations

import pytest

from leakscan.wording import count_text, rate_text, size_text, visible


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (712, "712 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (9_999, "10.0 kB"),
        (12_400, "12.4 kB"),
        (999_499, "999 kB"),
        (999_999, "1.00 MB"),
        (41_200_000, "41.2 MB"),
        (2_060_000_000, "2.06 GB"),
        (-1_500, "-1.50 kB"),
    ],
)
def test_sizes_have_three_digits_and_one_unit(size_bytes: int, text: str):
    assert size_text(size_bytes) == text


def test_counts_have_their_thousands_apart():
    assert [count_text(count) for count in (0, 999, 1_020, 1_234_567)] == ["0", "999", "1 020", "1 234 567"]


def test_rates_have_no_more_decimals_than_they_need():
    assert [rate_text(rate) for rate in (1.0, 0.2, 50.0, 1 / 3, 1020.0)] == [
        "1",
        "0.2",
        "50",
        "0.33",
        "1 020",
    ]


def test_what_could_move_the_cursor_or_reorder_text_is_written_as_an_escape():
    assert visible("a\x1b[31m\n\u202e\u200bé中") == "a\\x1b[31m\\n\\u202e\\u200bé中"
