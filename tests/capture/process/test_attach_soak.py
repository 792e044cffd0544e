"""Attaching to a service under load costs its clients only a wait. `make attach-soak`: a thousand times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attach_targets import needs_attach

pytestmark = needs_attach()
SOAK = Path(__file__).parents[3] / "tools" / "attach_soak.py"


def test_clients_lose_nothing_and_the_service_keeps_nothing():
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    pytest.importorskip("httpx")
    command = [sys.executable, str(SOAK), "--attaches", "3", "--window", "1", "--untimed"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert json.loads(result.stdout)["complaints"] == []
