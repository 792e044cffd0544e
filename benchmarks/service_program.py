"""Requests to a FastAPI application, 32 at once: called as a server would, without a socket in between."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

import leakscan

_LOOP = asyncio.new_event_loop()
_ORDERS = json.dumps(
    [{"number": i, "name": f"n{i}", "tags": ["a", "b"], "price": i * 1.5} for i in range(20)]
).encode()


class Order(BaseModel):
    number: int
    name: str
    tags: list[str]
    price: float


_api = FastAPI()


@_api.post("/orders/{customer}")
async def order(customer: int, orders: list[Order]) -> dict[str, object]:
    await asyncio.sleep(0)
    return {
        "customer": customer,
        "names": [each.name for each in orders],
        "sum": sum(o.price for o in orders),
    }


@_api.get("/health")
async def health() -> dict[str, bool]:
    return {"is_well": True}


_app = leakscan.AsgiWork(_api)


async def _ask(method: str, path: str, body: bytes) -> None:
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:  # Any: an ASGI message
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:  # Any: an ASGI message
        statuses.append(message.get("status", 200))

    await _app(scope, receive, send)
    if set(statuses) != {200}:
        raise RuntimeError(f"{method} {path} answered {statuses}")


async def _some_requests() -> None:
    for _ in range(4):
        asked = [
            _ask("POST", f"/orders/{i}", _ORDERS) if i % 2 else _ask("GET", "/health", b"") for i in range(32)
        ]
        await asyncio.gather(*asked)


def service() -> None:
    _LOOP.run_until_complete(_some_requests())
