"""Findings as the analysis gives them, drawn by hand: what the reporters are tested and looked at with."""

from __future__ import annotations

from dataclasses import replace

from leakscan.analysis.results.findings import (
    Cut,
    CutMember,
    CycleFinding,
    Findings,
    Growth,
    Holder,
    Leak,
    Path,
    Projection,
    RunFigures,
    Step,
    Verdict,
)

MB = 1_000_000
HOSTILE = "<script>\x1b[31mred\u202e\"'\n&\\l|{}"
EVERY_RUN = (1,) * 20
FIRST_RUN_ONLY = (1, *(0,) * 19)


def growth(
    type_name: str,
    before: int,
    after: int,
    births: tuple[int, ...],
    *,
    retained: int | None = None,
    verdict: Verdict = Verdict.LEAK,
    shallow: int = 56,
) -> Growth:
    return Growth(
        type_name,
        before,
        after,
        before * shallow,
        after * shallow,
        births,
        (after - before) / len(births) if births else 0.0,
        retained,
        verdict,
    )


def figures(runs: int, per_run_bytes: int, *, per_run_objects: int = 1078) -> tuple[RunFigures, ...]:
    return tuple(
        RunFigures(
            run,
            61_204 + per_run_objects * run,
            18 * MB + per_run_bytes * run,
            64 * MB + int(per_run_bytes * run * 1.1) // 4096 * 4096,
        )
        for run in range(runs + 1)
    )


WORKFLOW_PATH = Path(
    "module streamlab.workflow",
    "module",
    (
        Step("default", "key_str", "streamlab.workflow.Workflow", note="born before the runs"),
        Step("._runs", "attribute", "dict", is_holder=True, note="0 -> 20 entries"),
        Step("['run-*']", "key_str", "streamlab.workflow.Run", is_new=True, note="1 per run"),
        Step(".output", "attribute", "streamlab.output.ModelOutput", is_survivor=True, is_new=True),
    ),
)
LISTENER_PATH = Path(
    "module streamlab.events",
    "module",
    (
        Step("bus", "key_str", "streamlab.events.Emitter", note="born before the runs"),
        Step(".handlers", "attribute", "dict", note="born before the runs"),
        Step("['chunk']", "key_str", "list", is_holder=True, note="0 -> 20 entries"),
        Step(
            "[*]",
            "index",
            "function",
            name="ModelOutput._listen.<locals>.on_chunk",
            file="fixtures/streamlab/output.py",
            line=58,
            is_new=True,
        ),
        Step("closure `self`", "slot", "streamlab.output.ModelOutput", is_survivor=True, is_new=True),
    ),
)
WORKFLOW_CUT = Cut(
    (
        CutMember("Workflow._runs[*]", 20, 0, 0, file="fixtures/streamlab/workflow.py", line=31),
        CutMember("Emitter.handlers['chunk'][*]", 20, 0, 0, file="fixtures/streamlab/events.py", line=17),
    ),
    frees=20,
    of=20,
    frees_bytes=41_200_000,
)
MODEL_OUTPUT = Leak(
    signature="3f9a1c22",
    type_name="streamlab.output.ModelOutput",
    count=20,
    exclusive_bytes=41_200_000,
    shared_bytes=12_480,
    verdict=Verdict.LEAK,
    evidence="exactly 1 per run in each of runs 1 to 20",
    rate=1.0,
    every_run=True,
    first_run=1,
    last_run=20,
    births=EVERY_RUN,
    path=WORKFLOW_PATH,
    also_held_by=(LISTENER_PATH,),
    holder=Holder("Workflow._runs", "dict", 0, 20, file="fixtures/streamlab/workflow.py", line=31),
    cut=WORKFLOW_CUT,
    contents=(
        ("streamlab.output.Chunk", 1020, 39_800_000),
        ("bytes", 1020, 1_100_000),
        ("list", 60, 51_000),
    ),
)
LAZY_PATTERN = Leak(
    signature="b07d55e1",
    type_name="re.Pattern",
    count=1,
    exclusive_bytes=712,
    shared_bytes=0,
    verdict=Verdict.WARM_UP,
    evidence="born in run 1 only",
    rate=0.0,
    every_run=False,
    first_run=1,
    last_run=1,
    births=FIRST_RUN_ONLY,
    path=Path(
        "module re",
        "module",
        (
            Step("_cache", "key_str", "dict", is_holder=True, note="14 -> 15 entries"),
            Step("[<tuple>]", "key_other", "re.Pattern", is_survivor=True, is_new=True),
        ),
    ),
    also_held_by=(),
    holder=Holder("re._cache", "dict", 14, 15, bound=512),
    cut=None,
    noise="compiled patterns kept by re",
)

TWO_HOLDERS = Findings(
    verdict=Verdict.LEAK,
    headline=(
        "LEAK  20 ModelOutput survive 20 runs: 1 per run, every run. 41.2 MB retained, 2.06 MB per run."
    ),
    identity="births",
    runs=20,
    warmup=3,
    mode="consume",
    target="streamlab:stream_once",
    runtime="cpython 3.11.7",
    growth=(
        growth("streamlab.output.ModelOutput", 0, 20, EVERY_RUN, retained=41_200_000),
        growth("streamlab.output.Chunk", 0, 1020, (51,) * 20, retained=39_800_000),
        growth("bytes", 8_412, 9_432, (51,) * 20, retained=1_100_000),
        growth("list", 1_204, 1_264, (3,) * 20, retained=51_000),
        growth("re.Pattern", 14, 15, FIRST_RUN_ONLY, retained=712, verdict=Verdict.WARM_UP),
    ),
    leaks=(MODEL_OUTPUT,),
    noise=(LAZY_PATTERN,),
    cut=WORKFLOW_CUT,
    cycles=(),
    projections=(
        Projection(100, 206 * MB, 204 * MB, 208 * MB, 100),
        Projection(1_000, 2_060 * MB, 2_040 * MB, 2_080 * MB, 1_000),
        Projection(10_000, 20_600 * MB, 20_400 * MB, 20_800 * MB, 10_000),
    ),
    per_run=figures(20, 2_060_000),
    survivor_count=1_122,
    survivor_bytes=41_212_480,
    garbage_count=0,
    garbage_bytes=0,
    proof="proved in a forked child: 20 of 20 ModelOutput freed, with 9 of 9 objects that hang on them",
)

TASK_PATH = Path(
    "thread 'MainThread'",
    "thread",
    (
        Step("local `loop`", "local", "asyncio.events._UnixSelectorEventLoop", note="born before the runs"),
        Step("._ready", "attribute", "collections.deque", note="born before the runs"),
        Step("[0]", "index", "asyncio.events.Handle", note="born before the runs"),
        Step("._context", "attribute", "_contextvars.Context", is_holder=True),
        Step("context `request`", "context", "shop.web.Request", is_new=True, note="5 per run"),
        *(
            Step(".parent", "attribute", "shop.tracing.SpanWithAVeryLongAndHonestName", is_new=True)
            for _ in range(40)
        ),
        Step(
            "._task",
            "slot",
            "_asyncio.Task",
            name="Task-42",
            is_new=True,
        ),
        Step(
            "._coro",
            "slot",
            "coroutine",
            name="Exporter.flush_forever",
            file="shop/tracing/exporters/batching/background.py",
            line=1204,
            is_new=True,
        ),
        Step("local `batch`", "local", "list", is_new=True),
        Step("[*]", "index", "shop.tracing.Span", is_survivor=True, is_new=True),
    ),
)
SPANS = Leak(
    signature="90c2e4aa",
    type_name="shop.tracing.Span",
    count=1_000,
    exclusive_bytes=8_192_000,
    shared_bytes=640_000,
    verdict=Verdict.LEAK,
    evidence="48 to 53 per run in each of runs 1 to 20",
    rate=50.0,
    every_run=False,
    first_run=1,
    last_run=20,
    births=(50,) * 20,
    path=TASK_PATH,
    also_held_by=(),
    holder=Holder("Context['request']", "_contextvars.Context", None, 100),
    cut=Cut(
        (CutMember("Context['request']", 100, 1_000, 8_192_000, frees_old=2),),
        1_000,
        1_000,
        8_192_000,
        is_minimal=False,
    ),
    sites=(("shop/tracing/span.py", 88, "Span.start", 960), ("shop/web/app.py", 12, "handle", 40)),
)
EVERY_FIFTH = Leak(
    signature="0be41d07",
    type_name="dict",
    name="dict in Plugin.instances[*]",
    count=4,
    exclusive_bytes=1_472,
    shared_bytes=0,
    verdict=Verdict.LEAK,
    evidence="1 every 5 runs: runs 5, 10, 15, 20",
    rate=0.2,
    every_run=False,
    first_run=5,
    last_run=20,
    births=(0, 0, 0, 0, 1) * 4,
    path=Path(
        "module shop.registry",
        "module",
        (
            Step("Plugin", "key_str", "type", name="shop.registry.Plugin", note="born before the runs"),
            Step(".instances", "attribute", "list", is_holder=True, note="2 -> 6 entries"),
            Step("[*]", "index", "dict", is_survivor=True, is_new=True),
        ),
    ),
    also_held_by=(),
    holder=Holder("Plugin.instances", "list", 2, 6, file="shop/registry.py", line=9),
    cut=Cut((CutMember("Plugin.instances[*]", 4, 4, 1_472, file="shop/registry.py", line=9),), 4, 4, 1_472),
)
HELD_FROM_C = Leak(
    signature="77aa0001",
    type_name="bytes",
    count=20,
    exclusive_bytes=20_971_520,
    shared_bytes=0,
    verdict=Verdict.LEAK,
    evidence="exactly 1 per run in each of runs 1 to 20",
    rate=1.0,
    every_run=True,
    first_run=1,
    last_run=20,
    births=EVERY_RUN,
    path=Path(
        "held from C",
        "held_from_c",
        (Step("<held from C>", "unnamed", "bytes", is_survivor=True, is_new=True),),
    ),
    also_held_by=(),
    holder=None,
    cut=None,
)
CACHE = replace(
    LAZY_PATTERN,
    signature="5ca1ab1e",
    type_name="shop.prices.Quote",
    count=128,
    exclusive_bytes=1_048_576,
    verdict=Verdict.BOUNDED,
    evidence="grew in runs 1 to 13, then stopped at 128 entries, the maxsize of its lru_cache",
    first_run=1,
    last_run=13,
    births=(10,) * 12 + (8,) + (0,) * 7,
    path=Path(
        "module shop.prices",
        "module",
        (
            Step(
                "quote",
                "key_str",
                "functools._lru_cache_wrapper",
                name="quote",
                file="shop/prices.py",
                line=20,
                is_holder=True,
                note="0 -> 128 of 128 entries",
            ),
            Step("<cache entry>", "unnamed", "shop.prices.Quote", is_survivor=True, is_new=True),
        ),
    ),
    holder=Holder("quote", "functools._lru_cache_wrapper", 0, 128, bound=128, file="shop/prices.py", line=20),
    noise="",
)
SEVERAL = replace(
    TWO_HOLDERS,
    proof="",
    headline=(
        "LEAK  4 leaks in 20 runs; the worst: 20 ModelOutput, 1 per run, every run."
        " 70.4 MB retained, 3.52 MB per run."
    ),
    leaks=(MODEL_OUTPUT, HELD_FROM_C, SPANS, EVERY_FIFTH),
    cut=None,
    growth=(
        *TWO_HOLDERS.growth[:4],
        growth("shop.tracing.Span", 12, 1_012, (50,) * 20, retained=8_192_000),
        growth("a_company.with_long.package_names.and_modules.ThenALongClassName", 0, 4, (0, 0, 0, 0, 1) * 4),
        *(growth(f"shop.models.Model{number:02}", 3, 5, (0,) * 18 + (1, 1)) for number in range(12)),
    ),
    cycles=(
        CycleFinding(("lxml.etree._Element", "shop.parser.Node"), 40, 9_600, True, "lxml.etree._Element"),
    ),
    others=(CACHE,),
    survivor_count=2_146,
    survivor_bytes=70_376_992,
    warnings=("The snapshot after run 10 is missing: the disk was full.",),
    omitted=("1 more path for leak 3f9a1c22: --paths shows all",),
)

WARM_UP = replace(
    TWO_HOLDERS,
    proof="",
    verdict=Verdict.WARM_UP,
    headline="NO LEAK  warm-up only: 35 objects (12.4 kB) were born in run 1 and none since.",
    growth=TWO_HOLDERS.growth[4:],
    leaks=(),
    cut=None,
    projections=(),
    per_run=figures(20, 0, per_run_objects=0),
    survivor_count=35,
    survivor_bytes=12_400,
)
BOUNDED = replace(
    WARM_UP,
    verdict=Verdict.BOUNDED,
    headline="NO LEAK  bounded: 128 Quote filled lru_cache quote (maxsize 128) by run 13 and stopped.",
    leaks=(CACHE,),
    growth=(growth("shop.prices.Quote", 0, 128, CACHE.births, retained=1_048_576, verdict=Verdict.BOUNDED),),
    survivor_count=128,
    survivor_bytes=1_048_576,
)
GARBAGE = replace(
    WARM_UP,
    verdict=Verdict.GARBAGE,
    headline="NO LEAK  garbage: 20 000 objects (4.48 MB) only waited for the garbage collector.",
    growth=(),
    leaks=(),
    noise=(),
    cycles=(
        CycleFinding(("shop.parser.Node", "list"), 20_000, 4_480_000, True),
        CycleFinding(("lxml.etree._Element", "shop.parser.Node"), 40, 9_600, True, "lxml.etree._Element"),
    ),
    survivor_count=0,
    survivor_bytes=0,
    garbage_count=20_000,
    garbage_bytes=4_480_000,
)
CLEAN = replace(
    GARBAGE,
    verdict=Verdict.CLEAN,
    headline="NO LEAK  clean: nothing born in 20 runs is still alive.",
    cycles=(),
    garbage_count=0,
    garbage_bytes=0,
)
INCONCLUSIVE = replace(
    TWO_HOLDERS,
    proof="",
    verdict=Verdict.INCONCLUSIVE,
    headline="INCONCLUSIVE  6 Session survive 8 runs, born in runs 2 to 7: too few runs to tell.",
    runs=8,
    identity="address, approximate",
    leaks=(
        replace(
            EVERY_FIFTH,
            signature="1dea0000",
            type_name="shop.web.Session",
            name="",
            count=6,
            verdict=Verdict.INCONCLUSIVE,
            evidence="born in 6 of 8 runs; a cache that fills would look the same",
            births=(0, 1, 1, 1, 1, 1, 1, 0),
            rate=0.75,
            first_run=2,
            last_run=7,
        ),
    ),
    growth=(
        growth(
            "shop.web.Session", 0, 6, (0, 1, 1, 1, 1, 1, 1, 0), retained=1_472, verdict=Verdict.INCONCLUSIVE
        ),
    ),
    noise=(),
    cut=None,
    projections=(),
    per_run=figures(8, 200),
    survivor_count=6,
    survivor_bytes=1_472,
    next_command="leakscan capture shop.web:serve_once --runs 60 -o leak/",
    warnings=("The target stopped in run 9 of 20 (RuntimeError); 8 runs were captured.",),
)
HOSTILE_NAMES = replace(
    TWO_HOLDERS,
    proof="",
    headline="LEAK  20 X survive 20 runs.",
    target=HOSTILE,
    growth=(growth(f"mod.{HOSTILE}", 0, 20, EVERY_RUN, retained=1),),
    leaks=(
        replace(
            MODEL_OUTPUT,
            type_name=f"mod.{HOSTILE}",
            evidence=HOSTILE,
            path=Path(
                HOSTILE,
                "module",
                (
                    Step(HOSTILE, "key_str", HOSTILE, name=HOSTILE, file=HOSTILE, line=1, note=HOSTILE),
                    Step(f"['{HOSTILE}']", "key_str", HOSTILE, is_survivor=True, is_new=True),
                ),
            ),
            also_held_by=(),
            holder=Holder(HOSTILE, HOSTILE, 0, 20, file=HOSTILE, line=3),
            cut=Cut((CutMember(HOSTILE, 20, 20, 1, file=HOSTILE, line=3),), 20, 20, 1),
            contents=((HOSTILE, 1, 1),),
            sites=((HOSTILE, 1, HOSTILE, 1),),
        ),
    ),
    noise=(),
    cut=None,
    warnings=(HOSTILE,),
    omitted=(HOSTILE,),
)

ALL = {
    "two_holders": TWO_HOLDERS,
    "several": SEVERAL,
    "warm_up": WARM_UP,
    "bounded": BOUNDED,
    "garbage": GARBAGE,
    "clean": CLEAN,
    "inconclusive": INCONCLUSIVE,
    "hostile": HOSTILE_NAMES,
}
