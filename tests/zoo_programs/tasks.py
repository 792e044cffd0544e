"""SCALE tasks that all wait: on a future, on each other, in an async generator, in gather."""

from __future__ import annotations

import asyncio
import contextvars

from ground import SCALE, watched

request = contextvars.ContextVar("request", default="none")


class Payload:
    def __init__(self, number: int) -> None:
        self.number = number


async def leaf(gate: asyncio.Future[int], payload: Payload) -> int:
    return await gate + payload.number


async def stream(gate: asyncio.Future[int], payload: Payload):
    yield await leaf(gate, payload)


async def wait(gate: asyncio.Future[int], number: int) -> int:
    payload = Payload(number)
    request.set(f"request-{number}")
    async for value in stream(gate, payload):
        return value
    return -1


async def main() -> None:
    loop = asyncio.get_running_loop()
    gate: asyncio.Future[int] = loop.create_future()
    tasks = [asyncio.create_task(wait(gate, number), name=f"task-{number}") for number in range(SCALE)]
    for _ in range(3):
        await asyncio.sleep(0)

    def build() -> None:
        return None

    watched(build)
    gate.set_result(1)
    results = await asyncio.gather(*tasks)
    assert results == [number + 1 for number in range(SCALE)]
    print("done")


asyncio.run(main())
