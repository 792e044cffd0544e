"""`leakscan guard`: a command that leaves a snapshot behind before the kernel kills it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from leakscan.cli.parameters import argument, option

EXAMPLES = (
    "leakscan guard -o /var/leak -- gunicorn app:app",
    "leakscan guard --limit 2GB -- python -m worker",
    "leakscan diff /var/leak    # after it died",
    "leakscan guard --then 'cp $LEAKSCAN_CAPSULE /srv' -- python -m worker",
)


def guard(
    command: Annotated[list[str], argument(metavar="-- COMMAND...", help="What to run, with its arguments.")],
    output: Annotated[
        Path, option("--output", "-o", metavar="DIR", help="Each process leaves its box in here.")
    ] = Path("guard"),
    limit: Annotated[
        str | None,
        option(metavar="SIZE", help="Also guard resident memory below this [what the system sets]."),
    ] = None,
    percent: Annotated[
        int,
        option(metavar="N", min=1, max=99, help="Take the snapshot at this share of the limit, or earlier."),
    ] = 85,
    baseline: Annotated[
        str, option(metavar="TIME", help="Baseline so long after the start; earlier when memory grows fast.")
    ] = "30s",
    on_term: Annotated[
        str | None,
        option(metavar="TIME", help="On SIGTERM, too, which ends the process so much later at most."),
    ] = None,
    no_births: Annotated[
        bool, option("--no-births", help="Do not mark objects with when they were made.")
    ] = False,
    redact_keys: Annotated[
        bool, option("--redact-keys", help="Write no dictionary keys into the snapshots.")
    ] = False,
    capsule: Annotated[
        bool, option("--capsule", help="After a death leave the answer in 200 kB, too, and pack the box.")
    ] = False,
    then: Annotated[
        str | None,
        option(metavar="COMMAND", help="Hand $LEAKSCAN_CAPSULE to this shell command; means --capsule."),
    ] = None,
) -> int:
    """Run a command with a black box against OOM kills."""
    from leakscan.capture.guard import GuardSettings, run_guarded
    from leakscan.units import parse_seconds, parse_size

    run_guarded(
        command,
        GuardSettings(
            folder=output,
            limit_bytes=parse_size(limit) if limit else 0,
            percent=percent,
            baseline_seconds=parse_seconds(baseline),
            counts_births=not no_births,
            redact_keys=redact_keys,
            term_seconds=parse_seconds(on_term) if on_term else 0.0,
        ),
        then=then if then is not None else "" if capsule else None,
    )
    return 0
