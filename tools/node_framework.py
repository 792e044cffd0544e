"""Measure the agent framework of docs/howto/node-agent-framework.md: every situation and version, as a table.

Needs Node 20 or newer and `npm ci --ignore-scripts` in fixtures/node/agent_framework (285 MB). One takes
half a minute to three: name situations or versions to measure fewer. Not part of the tests.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from leakscan.errors import LeakscanError

FOLDER = Path(__file__).parent.parent / "fixtures" / "node" / "agent_framework"
VERSIONS = ("core-0.13.2", "core-0.21.1", "core-0.24.9")
SITUATIONS = (
    *(("streamed", mode) for mode in ("consume", "abandon", "cancel", "timeout", "error")),
    *(
        (name, "consume")
        for name in (
            "never_read",
            "concurrent_views",
            "provider_fails",
            "provider_hangs",
            "provider_hangs_aborted",
            "agent_per_request",
            "framework_per_request",
            "workflow_finishes",
            "workflow_suspends",
            "workflow_never_started",
        )
    ),
)
SETTINGS = Settings(runs=5, warmup=1, settle_seconds=0.5, timeout_seconds=120)


def measured(name: str, mode: str) -> str:
    """The first sentence of the answer."""
    with TemporaryDirectory() as folder:
        try:
            target = f"{FOLDER / 'scenarios.mjs'}:{name}"
            found = capture(target, output=Path(folder) / "leak", mode=mode, settings=SETTINGS)
            return analysed_capture(found).headline
        except LeakscanError as error:
            return f"not measured: {error.message.splitlines()[0]}"


def main(wanted: list[str]) -> None:
    print("| situation | version | answer |\n|---|---|---|")
    for name, mode in SITUATIONS:
        for version in VERSIONS:
            if wanted and not {name, mode, version} & set(wanted):
                continue
            os.environ["FRAMEWORK"] = version
            print(
                f"| `{name}`, {mode} | {version.removeprefix('core-')} | {measured(name, mode)} |", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
