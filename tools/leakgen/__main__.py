"""Command line: list, make, verify, judge, reduce."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import registry
from .judge import judge
from .program import FORMS, build
from .reduce import reduce
from .verify import verify


def seeds(text: str) -> list[int]:
    """`7`, `1-100` or `1,5,9-12`."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def main() -> int:
    parser = argparse.ArgumentParser(prog="leakgen", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--held", choices=("all", "no", "only"), default="all", help="which families: all, open, held out"
    )
    common.add_argument(
        "--family", action="append", default=[], help="exactly these families (several times)"
    )
    make = commands.add_parser("make", parents=[common], help="write a program and its truth")
    make.add_argument("seed", type=int)
    make.add_argument("-o", "--output", type=Path, required=True)
    make.add_argument("--form", choices=FORMS, default="capture")
    check = commands.add_parser("verify", parents=[common], help="prove the truth of programs")
    check.add_argument("seeds", type=seeds, nargs="+")
    check.add_argument("--python", default=sys.executable)
    tool = argparse.ArgumentParser(add_help=False)
    tool.add_argument(
        "--leakscan", required=True, help="the command; for the other forms its environment's python is used"
    )
    tool.add_argument("--python", default="", help="interpreter that runs the programs (form capture)")
    tool.add_argument("--form", choices=FORMS, default="capture")
    tool.add_argument("--keep", type=Path, help="keep programs and answers here")
    score = commands.add_parser("judge", parents=[common, tool], help="run leakscan and score it")
    score.add_argument("--seeds", type=seeds, required=True)
    score.add_argument("--jobs", type=int, default=1)
    small = commands.add_parser(
        "reduce", parents=[common, tool], help="find a smaller program that fails alike"
    )
    small.add_argument("seed", type=int)
    small.add_argument("-o", "--output", type=Path, required=True)
    commands.add_parser("list", help="the families")
    args = parser.parse_args()
    if args.command == "list":
        for kind, families in registry.load().items():
            for family in families:
                doc = (family.build.__doc__ or "").strip()
                print(f"{kind:9} {family.name:26} {'held' if family.is_held else 'open'}  {doc}")
        return 0
    if args.command == "make":
        build(args.seed, args.form, args.held, tuple(args.family)).write(args.output)
        return 0
    if args.command == "verify":
        return _verify(args)
    if args.command == "reduce":
        program = build(args.seed, args.form, args.held, tuple(args.family))
        reduce(program, args.leakscan, args.python, args.keep).write(args.output)
        return 0
    programs = [build(seed, args.form, args.held, tuple(args.family)) for seed in args.seeds]
    return judge(programs, args.leakscan, python=args.python, jobs=args.jobs, keep=args.keep)


def _verify(args: argparse.Namespace) -> int:
    bad = 0
    for seed in (seed for part in args.seeds for seed in part):
        program = build(seed, held=args.held, only=tuple(args.family))
        wrong = verify(program, args.python)
        bad += bool(wrong)
        families = " ".join(f.family for f in program.fragments)
        print(f"{seed:5} {'ok  ' if not wrong else 'WRONG'} {families}", *wrong, sep="\n      ", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
