"""The leaks of a test suite as one HTML file: each once, with the tests that show it. It loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from markupsafe import Markup, escape

from leakscan import __version__
from leakscan.analysis.results.findings import Findings
from leakscan.report.html.page import csp_hash, part
from leakscan.report.names import type_names
from leakscan.report.pictures.svg import leak_svg
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain
from leakscan.report.text.terminal import Screen
from leakscan.wording import count_text, visible


class LeakOfSuite(Protocol):
    """One leak, and the tests that show it. `status`: new, known ... as the gate has it, `why` its reason."""

    @property
    def signature(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def tests(self) -> tuple[str, ...]: ...


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{style_hash}'; \
base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="leakscan {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def suite_page(leaks: Sequence[LeakOfSuite], findings: Sequence[Findings]) -> str:
    """The page; `findings` has, for each leak, those of the first test that showed it."""
    style = part("report.css")
    title = f"{count_text(len(leaks))} {'leak' if len(leaks) == 1 else 'leaks'} in the tests"
    body = Markup("\n").join(_section(leak, found) for leak, found in zip(leaks, findings, strict=True))
    return _PAGE.format(
        title=title,
        version=__version__,
        style=style,
        style_hash=csp_hash(style),
        body=body or "<p>No test leaks.</p>",
    )


def _section(leak: LeakOfSuite, findings: Findings) -> Markup:
    names = type_names(findings)
    mine = [each for each in findings.leaks if each.signature == leak.signature]
    picture = Markup(leak_svg(mine[0], names)) if mine else Markup("")
    tests = Markup("").join(Markup("<li><code>{}</code></li>").format(visible(test)) for test in leak.tests)
    why = f": {visible(leak.why)}" if leak.why else ""
    screen = plain(findings_text(findings, TextOptions(limit=3, screen=Screen())))
    return Markup(
        '<section aria-labelledby="leak-{0}">'
        '<h2 id="leak-{0}">{1} <span class="soft mono">leak {0}</span></h2>'
        "<p>{2}{3}. {4}:</p><ul>{5}</ul>{6}<pre>{7}</pre></section>"
    ).format(
        escape(leak.signature),
        visible(leak.what),
        visible(leak.status),
        why,
        "In this test" if len(leak.tests) == 1 else f"In {count_text(len(leak.tests))} tests",
        tests,
        picture,
        screen,
    )
