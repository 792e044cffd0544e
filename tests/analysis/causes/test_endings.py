"""What a worker's stack keeps alive is kept alive by its executor."""

from __future__ import annotations

from drawn_leaks import found

POOLS = """
module app -> m; m: module name=app; m -['POOLS']-> pools; pools: list
"""


def grown(depth: int) -> str:
    """An executor per run, whose worker is so many calls deep in a job that holds a Result."""
    calls = [f"c#_{at} -[frame f_back]-> c#_{at + 1}; c#_{at}: <frame> birth=#" for at in range(depth)]
    return "\n".join(
        (
            "pools -[#]-> e#; e#: concurrent.futures.thread.ThreadPoolExecutor size=900 birth=#",
            "thread worker-# -> c#_0; c#_0 -[local result]-> r#; r#: app.Result size=50 birth=#",
            *calls,
            f"c#_{depth}: <frame> name=_worker birth=#; c#_{depth} -[local executor_reference]-> w#",
            "w#: weakref.ReferenceType birth=#; w# -[~]-> e#",
        )
    )


def test_a_deep_stack_of_a_worker_belongs_to_its_executor():
    (leak,) = found(POOLS, grown(500)).leaks
    assert leak.type_name == "concurrent.futures.thread.ThreadPoolExecutor"
    assert leak.slots == ("app.POOLS[*]",)
