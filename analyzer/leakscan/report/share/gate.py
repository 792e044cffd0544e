"""The gate's answer for CI: GitHub annotations, JUnit XML and SARIF."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import replace
from typing import Any, Final
from xml.etree import ElementTree

from leakscan import __version__
from leakscan.analysis.gate import Gate, Gated, Status, StuckWait
from leakscan.analysis.results.waits import Suspended, WaitGroup
from leakscan.report.text.gate import sentence, stuck_wait_sentence
from leakscan.wording import visible

_LEVEL: Final = {
    Status.NEW: "error",
    Status.EXPIRED: "error",
    Status.UNDECIDED: "warning",
    Status.KNOWN: "note",
    Status.WITHIN_BUDGET: "note",
}
_STUCK_RULE: Final = {
    "id": "stuck",
    "name": "Stuck",
    "shortDescription": {"text": "A task or thread can never wake"},
    "fullDescription": {"text": "It waits for what nothing that still runs can reach."},
    "defaultConfiguration": {"level": "error"},
}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def in_repository(gate: Gate, *, root: str, folder: str) -> Gate:
    """The same with files named from `root` of the repository, of which they were named from `folder`.

    Both are absolute. A file that lies outside of the repository keeps its name.
    """
    return replace(
        gate,
        leaks=tuple(_moved(gated, root, folder) for gated in gate.leaks),
        stuck=tuple(replace(wait, group=_moved_group(wait.group, root, folder)) for wait in gate.stuck),
    )


def _moved_group(group: WaitGroup, root: str, folder: str) -> WaitGroup:
    chain = tuple(replace(step, file=from_root(step.file, root, folder)) for step in group.chain)
    return replace(group, chain=chain)


def from_root(file: str, root: str, folder: str) -> str:
    """A file's name from the root of the repository; as it is written where it lies outside, or is none."""
    if not file or file.startswith("<"):
        return file
    absolute = posixpath.normpath(posixpath.join(folder, file))
    return absolute.removeprefix(root.rstrip("/") + "/")


def _place(wait: StuckWait) -> Suspended | None:
    """Where the outermost function of those that wait stands."""
    return next((step for step in wait.group.chain if step.file and step.line), None)


def _moved(gated: Gated, root: str, folder: str) -> Gated:
    holder = gated.leak.holder
    if holder is None:
        return gated
    moved = replace(holder, file=from_root(holder.file, root, folder))
    return replace(gated, leak=replace(gated.leak, holder=moved))


def github(gate: Gate) -> str:
    """Workflow commands: GitHub shows them on the lines of the pull request."""
    lines = []
    for gated in gate.leaks:
        level = {"note": "notice"}.get(_LEVEL[gated.status], _LEVEL[gated.status])
        holder = gated.leak.holder
        place = f"file={_property(holder.file)},line={max(holder.line, 1)}," if holder and holder.file else ""
        title = f"leak {gated.leak.signature} ({gated.status.value})"
        lines.append(f"::{level} {place}title={_property(title)}::{_message(sentence(gated))}")
    for wait in gate.stuck:
        step = _place(wait)
        place = f"file={_property(step.file)},line={step.line}," if step is not None else ""
        title = _property(f"stuck {wait.group.name}")
        lines.append(f"::error {place}title={title}::{_message(stuck_wait_sentence(wait))}")
    lines += [f"::warning title=leakscan::{_message(visible(warning))}" for warning in gate.warnings]
    if not gate.leaks and not gate.stuck:
        lines.append(f"::notice title=leakscan::{_message(visible(gate.headline))}")
    return "\n".join(lines) + "\n"


def junit(gate: Gate) -> str:
    """One test case for each leak, and one for the target when there is none."""
    failures = sum(gated.fails for gated in gate.leaks) + len(gate.stuck)
    skipped = sum(gated.status is Status.UNDECIDED for gated in gate.leaks)
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(f"leakscan {gate.target}"),
        tests=str(max(len(gate.leaks) + len(gate.stuck), 1)),
        failures=str(failures),
        errors="0",
        skipped=str(skipped),
    )
    for gated in gate.leaks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_xml(gate.target), name=f"leak {gated.leak.signature}"
        )
        if gated.fails:
            failure = ElementTree.SubElement(case, "failure", message=_xml(sentence(gated)), type="leak")
            failure.text = _xml(gated.leak.evidence)
        elif gated.status is Status.UNDECIDED:
            ElementTree.SubElement(case, "skipped", message=_xml(f"undecided: {sentence(gated)}"))
    for wait in gate.stuck:
        text = _xml(stuck_wait_sentence(wait))
        case = ElementTree.SubElement(
            suite, "testcase", classname=_xml(gate.target), name=_xml(f"stuck {wait.group.name}")
        )
        ElementTree.SubElement(case, "failure", message=text, type="stuck").text = text
    if not gate.leaks and not gate.stuck:
        ElementTree.SubElement(suite, "testcase", classname=_xml(gate.target), name="leaks nothing")
    if gate.warnings:
        ElementTree.SubElement(suite, "system-err").text = _xml("\n".join(gate.warnings))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def sarif(gate: Gate) -> str:
    """SARIF 2.1.0; the signature is the partial fingerprint, so a leak stays the same alert."""
    run: dict[str, Any] = {  # Any: JSON values
        "tool": {
            "driver": {
                "name": "leakscan",
                "semanticVersion": __version__,
                "rules": [
                    {
                        "id": "leak",
                        "name": "Leak",
                        "shortDescription": {"text": "Objects survive every run"},
                        "fullDescription": {
                            "text": "Objects made in each run are still alive after the last."
                        },
                        "defaultConfiguration": {"level": "error"},
                    },
                    *([_STUCK_RULE] if gate.stuck else []),
                ],
            }
        },
        "results": [
            *(_sarif_result(gated) for gated in gate.leaks),
            *(_sarif_stuck(wait) for wait in gate.stuck),
        ],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": visible(warning)}} for warning in gate.warnings
                ],
            }
        ],
        "columnKind": "unicodeCodePoints",
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def _sarif_result(gated: Gated) -> dict[str, Any]:  # Any: JSON values
    leak = gated.leak
    result: dict[str, Any] = {
        "ruleId": "leak",
        "ruleIndex": 0,
        "level": _LEVEL[gated.status],
        "message": {"text": sentence(gated)},
        "partialFingerprints": {"leakscanSignature/v1": leak.signature},
        "properties": {"status": gated.status.value, "perRun": leak.rate, "bytes": leak.exclusive_bytes},
    }
    if leak.holder is not None and leak.holder.file:
        location: dict[str, Any] = {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(leak.holder.file)},
                "region": {"startLine": max(leak.holder.line, 1)},
            },
            "logicalLocations": [{"fullyQualifiedName": visible(leak.holder.label)}],
        }
        result["locations"] = [location]
    if gated.status in (Status.KNOWN, Status.WITHIN_BUDGET):
        result["suppressions"] = [{"kind": "external", "justification": visible(gated.why)}]
    return result


def _sarif_stuck(wait: StuckWait) -> dict[str, Any]:  # Any: JSON values
    group, step = wait.group, _place(wait)
    result: dict[str, Any] = {
        "ruleId": "stuck",
        "ruleIndex": 1,
        "level": "error",
        "message": {"text": stuck_wait_sentence(wait)},
        "partialFingerprints": {"leakscanStuck/v1": visible(f"{group.name} {group.waits_for}")},
        "properties": {"count": group.count},
    }
    if step is not None:
        location = {
            "artifactLocation": {"uri": _uri(step.file)},
            "region": {"startLine": step.line},
        }
        result["locations"] = [
            {
                "physicalLocation": location,
                "logicalLocations": [{"fullyQualifiedName": visible(step.function)}],
            }
        ]
    return result


def _uri(file: str) -> str:
    from urllib.parse import quote

    return ("file://" if file.startswith("/") else "") + quote(visible(file))


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(visible(text)).replace(":", "%3A").replace(",", "%2C")


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", visible(text))
