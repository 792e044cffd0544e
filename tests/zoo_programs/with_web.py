"""A server whose streams are half read by a client of the same loop."""

import asyncio
import socket

import httpx
import uvicorn
from ground import watched
from pyee.asyncio import AsyncIOEventEmitter

bus = AsyncIOEventEmitter()


async def app(scope, receive, send) -> None:
    if scope["type"] != "http":
        return
    gate: asyncio.Queue[bytes] = asyncio.Queue()
    bus.on("chunk", gate.put_nowait)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first;", "more_body": True})
    while (chunk := await gate.get()) != b"end":
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    async with httpx.AsyncClient() as client:
        requests = [client.build_request("GET", url) for _ in range(20)]
        answers = await asyncio.gather(*(client.send(request, stream=True) for request in requests))
        streams = [answer.aiter_bytes() for answer in answers]
        assert [await anext(stream) for stream in streams] == [b"first;"] * 20
        watched(lambda: None)
        bus.emit("chunk", b"second;")
        assert [await anext(stream) for stream in streams] == [b"second;"] * 20
        bus.emit("chunk", b"end")
        assert [[part async for part in stream] for stream in streams] == [[]] * 20
    server.should_exit = True
    await serving
    print(len(bus.listeners("chunk")))


asyncio.run(main())
