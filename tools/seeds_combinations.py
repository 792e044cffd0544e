"""What 128 combinations teach, in a few sentences: smallest and largest sets, and surprises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seeds_fixes import LEAKING, WAYS, Matrix, Names, maximal, mended, minimal, reopened
from seeds_text import Claim, listed
from streamlab import contract
from streamlab.fixes import SEVEN


def combinations(matrix: Matrix) -> list[Claim]:
    return [*_closing(matrix), *_breaking(matrix), *_both(matrix), *_surprises(matrix)]


def _closing(matrix: Matrix) -> Iterable[Claim]:
    lines = []
    for at in LEAKING:
        closing = matrix.where(lambda row, at=at: not row.cells[at].is_leak)
        lines.append(f"- {WAYS[at][0]}: {_sets(minimal(closing))}; closed in {len(closing)} of 128")
    yield Claim(
        "All rows are in [fixes.csv](fixes.csv). The smallest sets of fixes that close each leak:\n\n"
        + "\n".join(lines),
        True,
    )
    closing = matrix.where(lambda row: row.closes_all)
    yield Claim(
        f"All four are closed by {len(closing)} of 128, and each of those has {_sets(minimal(closing))} "
        "in it and `dispose` not. Six of the seven fixes together do not do without it.",
        minimal(closing) == [frozenset({"weak_references"})]
        and set(closing)
        == {row.names for row in matrix.rows if _has(row.names, "weak_references", "dispose")},
    )


def _has(names: Names, inside: str, outside: str) -> bool:
    return inside in names and outside not in names


def _breaking(matrix: Matrix) -> Iterable[Claim]:
    lines = []
    for check in contract.CHECKS:
        breaking = matrix.where(lambda row, name=check.__name__: name in row.broken)
        told = (
            f"{_sets(minimal(breaking))}; broken in {len(breaking)} of 128" if breaking else "no combination"
        )
        lines.append(f"- `{check.__name__}`: {told}")
    yield Claim("The smallest sets that break each check of the contract:\n\n" + "\n".join(lines), True)
    kept = matrix.where(lambda row: not row.broken)
    innocent = [name for name in SEVEN if not matrix.row(name).broken]
    yield Claim(
        f"The contract is kept by {len(kept)} of 128: {_sets(maximal(kept))}, and what is in it. A "
        "combination keeps it exactly when each of its fixes alone does.",
        set(kept) == {row.names for row in matrix.rows if row.names <= set(innocent)},
    )


def _both(matrix: Matrix) -> Iterable[Claim]:
    both = matrix.where(lambda row: row.closes_all and not row.broken)
    best = max((row for row in matrix.rows if not row.broken), key=lambda row: row.closed)
    still = [WAYS[at][0] for at in LEAKING if best.cells[at].is_leak]
    yield Claim(
        f"**No combination of the seven closes all leaks and keeps the contract** ({len(both)} of 128). "
        f"The best that keeps it is {listed(sorted(best.names))}: {best.closed} of {len(LEAKING)}, and "
        f"the stream that is left is the one that is {' and '.join(still)}. Its map of runs is what no "
        "proposal touches but weak references, which forget the run. leakscan's cut names that slot; "
        "with it, all are closed and the contract is kept.",
        not both
        and still == ["suspended"]
        and matrix.guarded_cut.closes_all
        and not matrix.guarded_cut.broken,
    )


def _surprises(matrix: Matrix) -> Iterable[Claim]:
    opened, healed = reopened(matrix), mended(matrix)
    lines = [f"- `{each.added}` added to {_sets([each.to])} opens *{each.what}* again." for each in opened]
    lines += [f"- `{each.added}` added to {_sets([each.to])} mends `{each.what}`." for each in healed]
    yield Claim(
        "More is not always better. All cases in which one fix undoes another:\n\n" + "\n".join(lines),
        bool(lines),
    )
    yield Claim(
        "`dispose()` takes away listeners of views that still wait: whatever freed the output before, "
        "their tasks now wait for ever and hold it. That is why all seven together close fewer leaks "
        "than one of them.",
        {each.added for each in opened} == {"dispose"}
        and matrix.row(*SEVEN).closed < matrix.row("weak_references").closed,
    )


def _sets(sets: Sequence[Names]) -> str:
    """`a` + `b`, or `c`."""
    return ", or ".join(" + ".join(f"`{name}`" for name in sorted(each)) for each in sorted(sets, key=sorted))
