"""What Node and V8 keep by design, as rows of the table of noise."""

from __future__ import annotations

from typing import Final

from leakscan.analysis.judge.noise_rule import NoiseRule

NODE: Final = (
    NoiseRule(
        reason="resource timings of fetch, 250 at most",
        anywhere="closure `resourceTimingBuffer`",
        is_bounded=True,
        library="Node",
        versions="18-26",
        example="(GC roots) > closure `resourceTimingBuffer` > [*]",
    ),
    NoiseRule(
        reason="rejected promises, which Node looks through after each turn of its loop",
        anywhere="closure `pendingUnhandledRejections`",
        is_bounded=True,
        library="Node",
        versions="18-26",
        example="(GC roots) > closure `pendingUnhandledRejections` > [*]",
    ),
    NoiseRule(
        reason="the last match of a regular expression, which V8 keeps for `RegExp.lastMatch`",
        anywhere=r"\.regexp_last_match_info",
        is_bounded=True,
        library="V8",
        versions="Node 18-26",
        example="(GC roots) > .regexp_last_match_info > [*]",
    ),
    NoiseRule(
        reason="V8's own bookkeeping",
        anywhere="internal `.*`",
        is_bounded=True,
        library="V8",
        versions="Node 18-26",
        example="(GC roots) > internal `map`",
    ),
    NoiseRule(
        reason="values at hand when the snapshot was taken",
        root=r"\((Stack roots|Handle scope)\)|running .+\(\)",
        is_direct=True,
        is_bounded=True,
        library="V8",
        versions="Node 18-26",
        example="(Stack roots) > holds",
    ),
)
