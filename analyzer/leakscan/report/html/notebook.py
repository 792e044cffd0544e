"""Findings in a notebook: tables and the picture of the paths, no script, nothing loaded."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from leakscan.analysis.results.findings import Findings
from leakscan.report.names import type_names
from leakscan.report.pictures.svg import leak_svg
from leakscan.report.reproduce import measured
from leakscan.report.text.findings import TextOptions, findings_text
from leakscan.report.text.lines import plain
from leakscan.wording import count_text, rate_text, size_text, visible

_LEAKS_SHOWN = 3
_TYPES_SHOWN = 10


@dataclass(frozen=True)
class Shown:
    """Findings that show themselves: `repr` is the screen of `leakscan diff`, a notebook gets tables.

    `findings` has everything; nothing here is computed again.
    """

    findings: Findings

    def __repr__(self) -> str:
        return plain(findings_text(self.findings, TextOptions())).rstrip("\n")

    def _repr_html_(self) -> str:
        findings = self.findings
        names = type_names(findings)
        word, _, rest = findings.headline.partition("  ")
        parts = [
            "<div>",
            f"<p><strong>{_safe(word)}</strong> {_safe(rest)}</p>",
            _table(
                ("leak", "survivors", "retained", "held by", "to free them, cut"),
                [
                    (
                        leak.signature,
                        f"{count_text(leak.count)} {names.leak(leak)}",
                        size_text(leak.exclusive_bytes),
                        leak.holder.label if leak.holder else leak.path.root,
                        " and ".join(member.pattern for member in leak.cut.members) if leak.cut else "",
                    )
                    for leak in findings.leaks
                ],
            ),
            _table(
                ("type", "before", "after", "per run", "retained", "verdict"),
                [
                    (
                        row.type_name,
                        count_text(row.count_before),
                        count_text(row.count_after),
                        rate_text(row.per_run),
                        "" if row.retained_bytes is None else size_text(row.retained_bytes),
                        row.verdict.value,
                    )
                    for row in findings.growth[:_TYPES_SHOWN]
                ],
            ),
            _left_out(findings),
            *(
                f"<details><summary>Paths to leak {_safe(leak.signature)}</summary>"
                f"{leak_svg(leak, names)}</details>"
                for leak in findings.leaks[:_LEAKS_SHOWN]
            ),
            f"<p><small>{_safe(measured(findings))}</small></p>",
            "</div>",
        ]
        return "\n".join(part for part in parts if part)


def _left_out(findings: Findings) -> str:
    rows = [*findings.warnings, *findings.omitted]
    if len(findings.growth) > _TYPES_SHOWN:
        rows.append(f"{count_text(len(findings.growth) - _TYPES_SHOWN)} more types grew")
    if len(findings.leaks) > _LEAKS_SHOWN:
        rows.append(f"the paths of {count_text(len(findings.leaks) - _LEAKS_SHOWN)} more leaks are not drawn")
    return "<ul>" + "".join(f"<li>{_safe(row)}</li>" for row in rows) + "</ul>" if rows else ""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    titles = "".join(f'<th scope="col">{_safe(title)}</th>' for title in head)
    body = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _safe(text: str) -> str:
    return escape(visible(text))
