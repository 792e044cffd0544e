"""The recipes for tasks, commands and aiohttp, on the released packages."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asked import kinds
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Capture, Settings, capture
from leakscan.capture.program.run import Marks, capture_program
from leakscan.capture.program.serving import by_requests, requests_to, server_of
from verdicts import first_leak

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "tasks-and-commands.md"
RUNS = 6
SETTINGS = Settings(runs=RUNS, warmup=3)
PLANTED = {
    "celery": "SEEN.append(Seen())",
    "django": "SEEN.append(Seen())",
    "aiohttp": "request.app[SEEN].append(Seen())",
}
Take = Callable[[Path], Capture]


def section_of(package: str) -> str:
    return PAGE.read_text().partition(f"\n## {package}\n")[2].partition("\n## ")[0]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Take], None]:
    """Writes the recipe's files, with the leak and without it, and looks at what `take` captures."""
    monkeypatch.chdir(tmp_path)

    def checked(package: str, take: Take) -> None:
        pytest.importorskip(package)
        files = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", section_of(package), re.S)
        assert any(PLANTED[package] in text for _, text in files)
        for is_planted in (True, False):
            for name, text in files:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text if is_planted else text.replace(PLANTED[package], "Seen()"))
            answer = analysed_capture(take(tmp_path / f"leak-{is_planted}"))
            assert first_leak(answer) == ((RUNS, "Seen") if is_planted else None)

    return checked


def command_of(package: str, option: str) -> list[str]:
    """The line of the page with that option, from `--` on, with the tests' own environment in front."""
    line = next(row for row in section_of(package).splitlines() if f" {option} " in row)
    words = shlex.split(line.partition(" -- ")[2])
    return [sys.executable, *(words[1:] if words[0] == "python" else ["-m", *words])]


def called(package: str, name: str) -> Take:
    command = command_of(package, "--on-call")
    return lambda output: capture_program(
        command, output=output, marks=Marks(on_call=(name,)), settings=SETTINGS
    )


def test_a_task_of_celery_is_called(check: Callable[[str, Take], None]):
    settings = Settings(runs=RUNS, warmup=3, arguments={"text": "hello"})
    check("celery", lambda output: capture("tasks:handle", output=output, settings=settings))


def test_a_worker_of_celery_is_captured_task_by_task(check: Callable[[str, Take], None]):
    def take(output: Path) -> Capture:
        send = "from tasks import handle\nfor n in range(30): handle.delay('hello')"
        subprocess.run([sys.executable, "-c", send], check=True, timeout=100)
        return called("celery", "tasks:handle")(output)

    check("celery", take)


def test_a_command_of_django_is_captured_step_by_step(check: Callable[[str, Take], None]):
    check("django", called("django", "shop.management.commands.orders:Command.step"))


@pytest.mark.parametrize("package", kinds(["django", "aiohttp"], "aiohttp"))
def test_a_scenario_drives_it(check: Callable[[str, Take], None], package: str):
    check(package, lambda output: capture("scenario.py:once", output=output, settings=SETTINGS))


def test_a_server_of_aiohttp_is_started(check: Callable[[str, Take], None]):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = server_of(f"http://127.0.0.1:{port}/chat")
    requests = requests_to(server, ['POST {"text": "hi"}'], ())

    def take(output: Path) -> Capture:
        app = Path("app.py")
        app.write_text(app.read_text().replace("port=8080", f"port={port}"))
        drive = by_requests(server, requests, mode="consume", chunks=3, timeout_seconds=None)
        marks = Marks(drive=drive)
        return capture_program(
            command_of("aiohttp", "--url"), output=output, marks=marks, settings=SETTINGS, mode="consume"
        )

    check("aiohttp", take)
