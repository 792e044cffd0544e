"""Findings as one HTML file: no network, a strict CSP, readable by keyboard, ear, phone and on paper."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from leakscan import __version__
from leakscan.analysis.capsule import Capsule
from leakscan.analysis.headline import row_names
from leakscan.analysis.results.findings import Findings, Leak, Path, Verdict
from leakscan.report.cuts import cut_steps
from leakscan.report.folding import Piece, fold_steps
from leakscan.report.html.began import began_chart
from leakscan.report.html.charts import Series, births_bars, line_chart
from leakscan.report.html.source_links import source_link
from leakscan.report.names import TypeNames, object_text, place, type_names
from leakscan.report.pictures.svg import leak_svg
from leakscan.report.reproduce import commands, measured
from leakscan.report.text.leaks import growth_of, in_use_text
from leakscan.report.text.memory import after_trim, shown_rows, signed, site_text, told_sites
from leakscan.report.text.never import group_sentence, stuck_sentence
from leakscan.report.text.works import NAMELESS, works_of_leak
from leakscan.report.text.written import slot_written, writers_shown
from leakscan.wording import count_text, rate_text, size_text, visible

_FEW_CUTS: Final = 8
"""More references to cut are folded: each stands with its leak."""
_FEW_LEAKS: Final = 3
"""More leaks are folded."""
_LEAKS_SHOWN: Final = 12
_TYPES_SHOWN: Final = 10
_TYPES_BESIDE_MANY: Final = 6
_FINE = (Verdict.CLEAN, Verdict.WARM_UP, Verdict.BOUNDED, Verdict.GARBAGE, Verdict.SLACK)


@dataclass(frozen=True, slots=True)
class Switches:
    """What every combination of these references would free.

    `effects[mask]` is (survivors, objects, bytes) freed by the patterns whose bits are set in `mask`. `cut`
    is the mask of those that free all leaks together (all of them, when it is not told), `is_whole` says that
    no reference of that set is missing here.
    """

    patterns: tuple[str, ...]
    survivors: int
    effects: tuple[tuple[int, int, int], ...]
    cut: int = -1
    is_whole: bool = False

    @property
    def ticked(self) -> int:
        return len(self.effects) - 1 if self.cut < 0 else self.cut


def switches_of(capsule: Capsule) -> Switches | None:
    """The switches for the references whose answers were kept; None when there are none."""
    kept = [(0, 0, 0)]
    survivors = 0
    for answer in capsule.answers:
        if answer is not None:
            kept.append((answer.frees_survivors, answer.frees, answer.frees_bytes))
            survivors = answer.survivors
    if len(kept) == 1:
        return None
    cut = capsule.findings[0].cut
    wanted = {member.pattern for member in cut.members} if cut is not None else set()
    mask = sum(1 << bit for bit, pattern in enumerate(capsule.patterns) if pattern in wanted)
    is_whole = cut is not None and cut.frees == cut.of and wanted <= set(capsule.patterns)
    return Switches(capsule.patterns, survivors, tuple(kept), mask or -1, is_whole)


def html_report(findings: Findings, *, switches: Switches | None = None, source_url: str = "") -> str:
    """The report as one self-contained HTML document; the same findings give the same bytes.

    `source_url` is where the program's source is shown, with `{file}` and `{line}` in it.
    """
    environment = Environment(
        loader=FunctionLoader(part),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    names = type_names(findings)
    environment.filters |= {"visible": visible, "size": size_text, "count": count_text, "rate": rate_text}
    environment.globals |= {
        "place": place,
        "source_link": lambda file, line: source_link(source_url, file, line),
        "findings": findings,
        "short": names.short,
        "leak_name": names.leak,
        "object": lambda step: object_text(step, names),
        "growth_of": growth_of,
        "in_use_text": in_use_text,
        "writers_shown": writers_shown,
        "slot_written": slot_written,
        "stuck_sentence": stuck_sentence,
        "works_of_leak": works_of_leak,
        "nameless": NAMELESS,
        "group_sentence": group_sentence,
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
    style, script = part("report.css"), part("report.js")
    word, _, rest = findings.headline.partition("  ")
    answers = _answers(findings, switches) if switches is not None else []
    began, began_left_out = began_chart(findings, names)
    return environment.get_template("report.html.j2").render(
        version=__version__,
        style=Markup(style),
        style_hash=csp_hash(style),
        script=Markup(script),
        script_hash=csp_hash(script),
        verdict_word=visible(word),
        verdict_rest=visible(rest),
        verdict_class=_verdict_class(findings.verdict),
        measured=measured(findings),
        switches=switches,
        switch_answers=answers,
        switch_json=Markup(_inert_json(answers)),
        switch_note=_switch_note(findings, switches),
        ticked=_ticked(switches),
        few_cuts=_FEW_CUTS,
        few_leaks=_FEW_LEAKS,
        leaks_shown=_LEAKS_SHOWN,
        types_shown=_TYPES_BESIDE_MANY if len(findings.leaks) > _LEAKS_SHOWN else _TYPES_SHOWN,
        missing=[*findings.warnings, *findings.omitted],
        noise=[_noise(leak, names) for leak in findings.noise],
        others=[_other(leak, names) for leak in findings.others],
        began_chart=Markup(began),
        began_left_out=began_left_out,
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


def part(name: str) -> str:
    """The text of one file of the templates."""
    return (files("leakscan.report.html") / "templates" / name).read_text(encoding="utf-8")


def csp_hash(text: str) -> str:
    """How a content security policy names an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _inert_json(answers: Sequence[str]) -> str:
    # `</script>` would end the element from inside a string.
    return json.dumps(list(answers)).replace("<", "\\u003c").replace("&", "\\u0026")


def _pieces(path: Path, all_steps: bool) -> list[Piece]:
    return fold_steps(path.steps, all_steps=all_steps)


def _answers(findings: Findings, switches: Switches) -> list[str]:
    """What each combination frees. The first search counts all new objects, a leak only those at its head."""
    leaking = switches.effects[switches.cut][0] if switches.is_whole and switches.cut > 0 else 0
    heads = findings.cut.of if findings.cut is not None else 0
    stay = switches.survivors - leaking
    more = "1 more new object is" if stay == 1 else f"{count_text(stay)} more new objects are"
    stays = "stays" if stay == 1 else "stay"
    rest = f" {more} bounded or noise and {stays}." if stay > 0 else ""
    retained = sum(leak.exclusive_bytes for leak in findings.leaks if leak.verdict is Verdict.LEAK)
    rows = []
    for survivors, objects, size in switches.effects:
        older = ", with what those places hold from before the runs" if size > retained > 0 else ""
        freed = f"{count_text(objects)} objects, {size_text(size)}{older}"
        if leaking and survivors == leaking:
            them = f"all {count_text(heads)} leaking survivors" if heads > 1 else "the leaking survivor"
            rows.append(f"Frees {them} and what they hold: {freed}.{rest}")
        elif leaking and survivors < leaking:
            of = f"{count_text(survivors)} of {count_text(leaking)} new objects that leak"
            rows.append(f"Frees {of}: {freed}.")
        else:
            # The headline counts those that head a leak, this what they hold as well.
            kind = "new objects" if heads not in (0, switches.survivors) else "survivors"
            of = f"{count_text(survivors)} of {count_text(switches.survivors)} {kind}"
            rows.append(f"Frees {of}: {freed}.")
    rows[0] = "Nothing is removed, nothing is freed."
    return rows


def _switch_note(findings: Findings, switches: Switches | None) -> str:
    if switches is None or findings.cut is None or switches.is_whole:
        return ""
    missing = {member.pattern for member in findings.cut.members} - set(switches.patterns)
    rest, notes = switches.survivors - findings.cut.of, []
    if missing:
        them = "1 more reference" if len(missing) == 1 else f"{count_text(len(missing))} more references"
        are = "is" if len(missing) == 1 else "are"
        notes.append(f"{them} to cut {are} not among these: whatif --cut takes all.")
    if rest > 0:
        notes.append(
            f"New objects are the {count_text(findings.cut.of)} that leak and {count_text(rest)} more,"
            " which those hold or which are bounded or noise. Objects that are freed may be older."
        )
    return " ".join(notes)


def _ticked(switches: Switches | None) -> list[bool]:
    if switches is None:
        return []
    return [bool(switches.ticked >> bit & 1) for bit in range(len(switches.patterns))]


def _noise(leak: Leak, names: TypeNames) -> str:
    what = f"{count_text(leak.count)} {names.leak(leak)} ({size_text(leak.exclusive_bytes)})"
    return f"{what}: {visible(leak.noise)}"


def _other(leak: Leak, names: TypeNames) -> str:
    held = leak.holder.label if leak.holder is not None else leak.path.root
    what = f"{count_text(leak.count)} {names.leak(leak)} ({size_text(leak.exclusive_bytes)})"
    return f"{leak.verdict.value}: {what} held by {visible(held)}: {visible(leak.evidence)}"


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
