"""The chat service as a process of its own, under load: what `attach` and `watch` are tried on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
for package in ("starlette", "uvicorn", "httpx", "sqlalchemy", "pyee"):
    pytest.importorskip(package, reason=f"{package} is not installed (dependency group `service`)")


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    monkeypatch.syspath_prepend(str(FIXTURES))


# A reply takes a second: a client that leaves after two tokens is gone before the end, on a busy machine too.
TOKENS, TOKEN_MS = 400, 2


def loaded(url: str):
    from chat_service.load import generate

    return asyncio.run(
        generate(url, clients=3, replies=12, seconds=60, leave_one_in=3, leave_after=2, tokens=TOKENS)
    )


def health(url: str) -> dict[str, int]:
    import httpx

    answer: dict[str, int] = httpx.get(f"{url}/health", trust_env=False).json()
    return answer


@pytest.mark.parametrize(("flags", "listeners"), [((), 4), (("--fixed",), 0)], ids=["leaky", "fixed"])
def test_the_leaky_service_keeps_a_listener_for_each_client_that_left(flags, listeners):
    from chat_service.started import started

    with started(*flags, "--tokens", str(TOKENS), "--token-ms", str(TOKEN_MS)) as service:
        seen = loaded(service.url)
        while health(service.url)["models"]:
            pass
        left = health(service.url)["listeners"]
    assert (seen.finished, seen.left, seen.lost, seen.errors, left) == (8, 4, 0, [], listeners)


def test_the_load_generator_fails_when_replies_are_refused():
    command = [sys.executable, "-m", "chat_service", "load", "http://127.0.0.1:9", "--replies", "2"]
    refused = subprocess.run(command, cwd=FIXTURES, check=False, capture_output=True, text=True)
    assert (refused.returncode, json.loads(refused.stdout)["errors"]) == (1, 2)
