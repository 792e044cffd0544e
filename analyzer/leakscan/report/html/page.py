"""Findings as one HTML file: no network, a strict CSP, readable by keyboard, ear, phone and on paper."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from leakscan import __version__
from leakscan.analysis.capsule import Capsule
from leakscan.analysis.headline import row_names
from leakscan.analysis.results.findings import Findings, Path, Verdict
from leakscan.report.cuts import cut_steps
from leakscan.report.folding import Piece, fold_steps
from leakscan.report.html.charts import Series, births_bars, line_chart
from leakscan.report.names import object_text, place, type_names
from leakscan.report.pictures.svg import leak_svg
from leakscan.report.reproduce import commands, measured
from leakscan.report.text.leaks import growth_of, in_use_text
from leakscan.report.text.memory import after_trim, shown_rows, signed, site_text, told_sites
from leakscan.wording import count_text, rate_text, size_text, visible

_FINE = (Verdict.CLEAN, Verdict.WARM_UP, Verdict.BOUNDED, Verdict.GARBAGE, Verdict.SLACK)


@dataclass(frozen=True, slots=True)
class Switches:
    """What every combination of these references would free.

    `effects[mask]` is (survivors, objects, bytes) freed by the patterns whose bits are set in `mask`.
    """

    patterns: tuple[str, ...]
    survivors: int
    effects: tuple[tuple[int, int, int], ...]


def switches_of(capsule: Capsule) -> Switches | None:
    """The switches for the references whose answers were kept; None when there are none."""
    kept = [(0, 0, 0)]
    survivors = 0
    for answer in capsule.answers:
        if answer is not None:
            kept.append((answer.frees_survivors, answer.frees, answer.frees_bytes))
            survivors = answer.survivors
    return Switches(capsule.patterns, survivors, tuple(kept)) if len(kept) > 1 else None


def html_report(findings: Findings, *, switches: Switches | None = None) -> str:
    """The report as one self-contained HTML document; the same findings give the same bytes."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=False, keep_trailing_newline=True
    )
    names = type_names(findings)
    environment.filters |= {"visible": visible, "size": size_text, "count": count_text, "rate": rate_text}
    environment.globals |= {
        "place": place,
        "short": names.short,
        "leak_name": names.leak,
        "object": lambda step: object_text(step, names),
        "growth_of": growth_of,
        "in_use_text": in_use_text,
        "row_names": row_names(findings.memory) if findings.memory else {},
        "signed": signed,
        "dotted": _dotted,
        "cuts": cut_steps,
        "pieces": _pieces,
        "is_folded": lambda path: len(_pieces(path, False)) < len(path.steps),
        "bars": lambda births, label: Markup(births_bars(births, label=label)),
        "births_label": _births_label,
        "picture": lambda leak: Markup(leak_svg(leak, names)),
    }
    memory_rows, memory_rest = shown_rows(findings.memory) if findings.memory is not None else ([], 0)
    style, script = _part("report.css"), _part("report.js")
    word, _, rest = findings.headline.partition("  ")
    answers = _answers(switches) if switches is not None else []
    return environment.from_string(_part("report.html.j2")).render(
        findings=findings,
        version=__version__,
        style=Markup(style),
        style_hash=_csp_hash(style),
        script=Markup(script),
        script_hash=_csp_hash(script),
        verdict_word=visible(word),
        verdict_rest=visible(rest),
        verdict_class=_verdict_class(findings.verdict),
        measured=measured(findings),
        switches=switches,
        switch_answers=answers,
        switch_json=Markup(_inert_json(answers)),
        memory_rows=memory_rows,
        memory_rest=memory_rest,
        memory_advice=_memory_advice(findings),
        memory_chart=Markup(_memory_chart(findings)),
        count_chart=Markup(_count_chart(findings)),
        leaks_title=_leaks_title(findings),
        commands=commands(findings),
    )


def _dotted(name: str) -> Markup:
    """A dotted name that may be broken after its dots."""
    return Markup(".<wbr>").join(visible(name).split("."))


def _part(name: str) -> str:
    return (files("leakscan.report.html") / "templates" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _inert_json(answers: Sequence[str]) -> str:
    # `</script>` would end the element from inside a string.
    return json.dumps(list(answers)).replace("<", "\\u003c").replace("&", "\\u0026")


def _pieces(path: Path, all_steps: bool) -> list[Piece]:
    return fold_steps(path.steps, all_steps=all_steps)


def _answers(switches: Switches) -> list[str]:
    rows = []
    for survivors, objects, size in switches.effects:
        of = f"{count_text(survivors)} of {count_text(switches.survivors)} survivors"
        rows.append(f"Frees {of}: {count_text(objects)} objects, {size_text(size)}.")
    rows[0] = "Nothing is removed, nothing is freed."
    return rows


def _births_label(births: Sequence[int]) -> str:
    born = [run for run, count in enumerate(births, 1) if count]
    if not born:
        return "no births"
    total = count_text(sum(births))
    return f"{total} born in {len(born)} of {len(births)} runs, first {born[0]}, last {born[-1]}"


def _leaks_title(findings: Findings) -> str:
    leaks = sum(leak.verdict is Verdict.LEAK for leak in findings.leaks)
    if not findings.leaks and findings.verdict is Verdict.NATIVE:
        return "No leak in the heap"
    if leaks == len(findings.leaks):
        return "No leak" if not leaks else "The leak" if leaks == 1 else f"The {leaks} leaks"
    return (
        f"{leaks} leaks and {len(findings.leaks) - leaks} groups that are none" if leaks else "What survives"
    )


def _verdict_class(verdict: Verdict) -> str:
    if verdict in _FINE:
        return "fine"
    return Verdict.LEAK.value if verdict is Verdict.NATIVE else verdict.value


def _memory_advice(findings: Findings) -> list[str]:
    memory = findings.memory
    if memory is None:
        return []
    sites = [f"Not freed: {site_text(memory, site)}" for site in told_sites(memory)]
    return [text for text in (*memory.advice, after_trim(memory), *sites) if text]


def _memory_chart(findings: Findings) -> str:
    rows = findings.per_run
    objects = Series("objects", [row.object_bytes for row in rows], 0)
    rss = Series("RSS", [row.rss_bytes for row in rows], 1)
    # Bare snapshots do not say what the process took.
    series = [rss, objects] if any(rss.values) else [objects]
    title = f"Memory after each {findings.unit}"
    return line_chart(title, [row.run for row in rows], series, unit=size_text, axis=findings.unit)


def _count_chart(findings: Findings) -> str:
    rows = findings.per_run
    first = rows[0].object_count if rows else 0
    more = Series("objects", [max(0, row.object_count - first) for row in rows], 0)
    title = "Objects more than at the baseline"
    return line_chart(title, [row.run for row in rows], [more], unit=_whole, axis=findings.unit)


def _whole(value: float) -> str:
    return count_text(round(value))
