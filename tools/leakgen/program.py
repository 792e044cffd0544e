"""A program: fragments chosen by a seed, and how they are written down as files."""

from __future__ import annotations

import json
import random
import re
import textwrap
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from . import registry
from .maker import Maker
from .model import RUNS, WARMUP, Fragment
from .names import NOUNS

FORMS = ("capture", "assert", "pytest")
HEAD = "import itertools\nfrom dataclasses import dataclass, field\n"
BACKGROUND = re.compile(r"\b(threading|concurrent|asyncio)\b")


@dataclass(frozen=True)
class Program:
    seed: int
    form: str
    fragments: tuple[Fragment, ...]
    calls: tuple[tuple[str, str], ...]  # (step, how it is called: CALL is `step, i`)
    is_async: bool
    is_stream: bool
    is_package: bool
    is_local: bool  # form assert: the state lives in a local; form pytest: in the fixture
    scope: str

    @property
    def leaking(self) -> list[Fragment]:
        """Fragments that leak as this program is written."""
        lost = self.form == "pytest" and self.scope == "function"
        return [f for f in self.fragments if f.leak and not (lost and not at_module_level(self, f))]

    @property
    def files(self) -> dict[str, str]:
        return {"capture": _capture, "assert": _assert, "pytest": _pytest}[self.form](self)

    @property
    def entry(self) -> str:
        return {"capture": "scenario.py:run", "assert": "check.py", "pytest": "test_leak.py"}[self.form]

    def write(self, folder: Path) -> None:
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / "truth.json").write_text(json.dumps(self.truth(), indent=1) + "\n")

    def truth(self) -> dict[str, object]:
        leaking = self.leaking
        return {
            "seed": self.seed,
            "form": self.form,
            "entry": self.entry,
            "verdict": "leak" if leaking else "innocent",
            "undecidable": any(f.undecidable for f in self.fragments if f.code),
            "warmup": WARMUP,
            "runs": RUNS,
            "families": {f.family: f.kind for f in self.fragments if f.code},
            "leaks": [
                {
                    "family": f.family,
                    "module": f.module,
                    "own": [
                        name
                        for name in f.leak.types
                        if re.search(rf"(class |\"){name}\b", self._definitions(f))
                    ],
                    "births": f.leak.births(),
                    **asdict(f.leak),
                }
                for f in leaking
            ],
            "innocents": {f.family: list(f.names) for f in self.fragments if f.kind == "innocent" and f.code},
            "keeps": sum(f.keeps for f in self.fragments),
        }

    def _definitions(self, fragment: Fragment) -> str:
        return fragment.code + "".join(thing.definition for thing in fragment.things)


def at_module_level(program: Program, fragment: Fragment) -> bool:
    """What belongs to the interpreter stays out of the function; in a fixture of each run, threads as well."""
    if not program.is_local or fragment.is_global:
        return True
    return program.form == "pytest" and bool(BACKGROUND.search(fragment.code))


def build(seed: int, form: str = "capture", held: str = "all", only: tuple[str, ...] = ()) -> Program:
    """The program of a seed. `only`: exactly these families, without a choice."""
    rng = random.Random(f"leakgen-{seed}")
    families = registry.load(held)
    if only:
        every = registry.load("all")
        chosen = [f for kind in every.values() for f in kind if f.name in only]
        chosen.sort(key=lambda f: ("leak", "innocent", "noise").index(f.kind))
    else:
        leaks = rng.choices((0, 1, 2, 3), (25, 45, 20, 10))[0]
        chosen = rng.sample(families["leak"], leaks)
        chosen += rng.sample(
            families["innocent"], rng.choice((0, 1, 1, 2, 2, 3, 4) if leaks else (1, 2, 3, 4))
        )
        chosen += rng.sample(families["noise"], rng.choice((0, 1, 1, 2, 3)))
    nouns = NOUNS[:]
    rng.shuffle(nouns)
    names = iter(nouns)
    fragments: list[Fragment] = []
    lent = []
    for family in chosen:
        fragment = family.build(Maker(rng, names, family.name, lent))
        if family.kind == "leak":
            lent += [thing for thing in fragment.things if not thing.wrapped_in]
        fragments.append(fragment)
    fragments = _fitting(fragments, form)
    is_package = form == "capture" and rng.random() < 0.5
    fragments = [replace(f, module=f"svc.{_module_name(f)}" if is_package else "scenario") for f in fragments]
    is_async = any(f.is_async for f in fragments) or (
        form == "capture" and not any(f.main_only for f in fragments) and rng.random() < 0.3
    )
    wraps = [f.wrap for f in fragments if f.wrap]
    calls = []
    for fragment in rng.sample(fragments, len(fragments)):
        if fragment.step and fragment.is_async:
            calls.append((fragment.step, f"await {fragment.step}(i)"))
        elif fragment.step:
            wrap = rng.choice([*wraps, ""]) if wraps and not fragment.main_only else ""
            calls.append(
                (fragment.step, wrap.replace("CALL", f"{fragment.step}, i") or f"{fragment.step}(i)")
            )
    return Program(
        seed,
        form,
        tuple(fragments),
        tuple(calls),
        is_async,
        is_stream=form == "capture" and rng.random() < 0.25,
        is_package=is_package,
        is_local=form != "capture" and rng.random() < 0.7,
        scope=rng.choice(("function", "module", "session")),
    )


def _fitting(fragments: list[Fragment], form: str) -> list[Fragment]:
    """Those that cannot live with the others do nothing: a coroutine runs in a context of its own."""
    if form != "pytest" and not any(f.main_only for f in fragments):
        return fragments
    return [_silenced(f) if f.is_async else f for f in fragments]


def _silenced(fragment: Fragment) -> Fragment:
    """Without its code; its classes stay, as others may have borrowed them."""
    return replace(
        fragment, code="", step="", start="", wrap="", is_async=False, leak=None, names=(), main_only=False
    )


def without(program: Program, families: Collection[str]) -> Program:
    """The program without the code of these families."""
    fragments = tuple(_silenced(f) if f.family in families else f for f in program.fragments)
    gone = {f.step for f in program.fragments if f.family in families}
    lost = [re.match(r"\w+", f.wrap)[0] for f in program.fragments if f.wrap and f.family in families]
    calls = []
    for step, call in program.calls:
        if step in gone:
            continue
        if any(call.startswith(name) for name in lost):
            call = f"{step}(i)"
        calls.append((step, call))
    return replace(program, fragments=fragments, calls=tuple(calls))


def _module_name(fragment: Fragment) -> str:
    name = fragment.step or fragment.start or fragment.family
    return name.split("_")[-1] if fragment.step else fragment.family


def _classes(program: Program) -> str:
    return "\n\n".join(thing.definition for f in program.fragments for thing in f.things if thing.definition)


def _run(program: Program, decorator: str = "") -> str:
    """The function `run`, which does one unit of work."""
    lines = ["i = next(COUNTER)"]
    starts = [f for f in program.fragments if f.start]
    if starts:
        lines.append("if i == 0:")
        lines += [f"    {'await ' if f.is_async else ''}{f.start}()" for f in starts]
    for number, (_, call) in enumerate(program.calls):
        lines.append(call)
        if program.is_stream and number == 0:
            lines.append('yield "begun"')
    if program.is_stream:
        lines.append('yield "done"')
    head = "async def run():" if program.is_async else "def run():"
    return head + "\n" + textwrap.indent("\n".join(lines), "    ") + "\n"


def _capture(program: Program) -> dict[str, str]:
    top = f'"""Made by leakgen from seed {program.seed}."""\n'
    if not program.is_package:
        code = "\n\n".join(f.code for f in program.fragments if f.code)
        text = f"{top}{HEAD}\n\n{_classes(program)}\n\n{code}\n\nCOUNTER = itertools.count()\n\n\n{_run(program)}"
        return {"scenario.py": text}
    files = {"svc/__init__.py": "", "svc/models.py": f"{top}{HEAD}\n\n{_classes(program)}"}
    names = [t.name for f in program.fragments for t in f.things if t.definition]
    imports = []
    for fragment in program.fragments:
        if not fragment.code:
            continue
        used = [name for name in names if re.search(rf"\b{name}\b", fragment.code)]
        models = f"from svc.models import {', '.join(used)}\n\n" if used else ""
        files[fragment.module.replace(".", "/") + ".py"] = models + fragment.code
        wanted = [n for n in (fragment.step, fragment.start) if n]
        if fragment.wrap:
            wanted.append(re.match(r"\w+", fragment.wrap)[0])
        line = f"from {fragment.module} import {', '.join(wanted)}" if wanted else f"import {fragment.module}"
        imports.append(line)
    files["scenario.py"] = (
        f"{top}import itertools\n\n"
        + "\n".join(imports)
        + f"\n\nCOUNTER = itertools.count()\n\n\n{_run(program)}"
    )
    return files


def _parts(program: Program) -> tuple[str, str]:
    """(what stands in the module, what stands in the function)."""
    outer = [f.code for f in program.fragments if f.code and at_module_level(program, f)]
    inner = [f.code for f in program.fragments if f.code and not at_module_level(program, f)]
    local = re.sub(r"(?m)^(\s+)global ", r"\1nonlocal ", "\n".join(inner)) + "\n" + _run(program)
    module = (
        f"{HEAD}\n\n{_classes(program)}\n\n" + "\n\n".join(outer) + "\n\nCOUNTER = itertools.count()\n\n\n"
    )
    return module, textwrap.indent(local, "    ")


def _assert(program: Program) -> dict[str, str]:
    module, local = _parts(program)
    text = f"""{module}def main():
{local}
    return leakscan.assert_no_leaks(run, runs={RUNS}, warmup={WARMUP})


if __name__ == "__main__":
    try:
        findings = main()
    except leakscan.testing.LeaksFound as error:
        findings = error.findings
        print(error, file=sys.stderr)
    json.dump(dataclasses.asdict(findings), sys.stdout, default=str)
"""
    return {
        "check.py": "import dataclasses\nimport json\nimport sys\n\nimport leakscan\nimport leakscan.testing\n"
        + text
    }


def _pytest(program: Program) -> dict[str, str]:
    module, local = _parts(program)
    text = f"""import pytest
{module}@pytest.fixture(scope="{program.scope}")
def service():
{local}
    return run


@pytest.mark.leakscan(runs={RUNS}, warmup={WARMUP})
def test_service(service):
    service()
"""
    return {"test_leak.py": text}
