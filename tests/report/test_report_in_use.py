"""What a worker has in hand is told in one line, beside the cut that does not free it."""

from __future__ import annotations

from dataclasses import replace

import findings_samples as samples
from leakscan.report.text.leaks import in_use_text

LEAK = samples.MODEL_OUTPUT


def test_one_object_in_use_names_what_holds_it():
    leak = replace(LEAK, in_use=1, in_use_by=("worker local 'job'",))
    assert in_use_text(leak) == (
        "1 of them is in use: worker local 'job' holds it as well, and lets go by itself"
    )


def test_many_holders_are_counted_after_three():
    leak = replace(LEAK, in_use=5, in_use_by=("a.b", "c.d", "e.f", "g.h"))
    assert in_use_text(leak) == (
        "5 of them are in use: a.b, c.d, e.f and 1 more hold them as well, and let go by themselves"
    )


def test_nothing_is_said_when_nothing_is_in_use():
    assert in_use_text(LEAK) == ""
