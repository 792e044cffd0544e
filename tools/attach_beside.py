"""Attach to servers under load with leakscan and with other tools, and see what each costs their clients.

Usage, as root: attach_beside.py --env DIR [--seconds 4]

DIR is an environment with uvicorn, gunicorn, gevent, celery, django, memray, py-spy and pystack. Each server
keeps one Session for each request: the answer of a series of six looks names their holder. Prints one JSON
object: for each server the waits of its clients in a quiet window and in one with each tool, in milliseconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

APP = """
    import os, time
    class Session:
        def __init__(self, number): self.number, self.text = number, "session %d" % number
    KEPT = [Session(number) for number in range(100_000)]
    HELD = {}
    def handle():
        HELD[len(HELD)] = Session(len(HELD))
        until = time.perf_counter() + 0.0005
        while time.perf_counter() < until: sum(range(100))
        return str(os.getpid()).encode()
    def wsgi(environ, start_response):
        body = handle()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    async def asgi(scope, receive, send):
        if scope["type"] != "http": return
        body = handle()
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})
"""
DJANGO = """
    import django.conf, django.core.wsgi, django.http, django.urls
    import app
    django.conf.settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
    urlpatterns = [django.urls.path("", lambda request: django.http.HttpResponse(app.handle()))]
    wsgi = django.core.wsgi.get_wsgi_application()
"""
CELERY = """
    import celery, app
    tasks = celery.Celery("tasks", broker="filesystem://", backend="file://" + app.os.getcwd() + "/results")
    tasks.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue",
                                           "polling_interval": 0.01}
    @tasks.task
    def handle(): return app.handle().decode()
"""
INTERVALS = 5
GUNICORN = ["gunicorn", "-b", "127.0.0.1:{port}", "--no-control-socket", "--log-level", "error"]
SERVERS = {
    "uvicorn": ["uvicorn", "--port", "{port}", "--log-level", "error", "app:asgi"],
    "gunicorn sync": [*GUNICORN, "app:wsgi"],
    "gunicorn gthread": [*GUNICORN, "-k", "gthread", "--threads", "4", "app:wsgi"],
    "gunicorn gevent": [*GUNICORN, "-k", "gevent", "app:wsgi"],
    "django on gunicorn": [*GUNICORN, "site_of:wsgi"],
    "celery prefork": ["celery", "-A", "tasks", "worker", "-c", "1", "-l", "error"],
}


class Clients:
    """Threads that ask one after the other; `waits` of each answer in seconds, by when it came."""

    def __init__(self, ask: Callable[[], bytes], count: int = 2) -> None:
        self.waits: list[tuple[float, float]] = []
        self.lost = 0
        self._is_over = False
        self._threads = [threading.Thread(target=self._work, args=(ask,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self, ask: Callable[[], bytes]) -> None:
        while not self._is_over:
            begun = time.monotonic()
            try:
                ask()
                self.waits.append((begun, time.monotonic() - begun))
            except (OSError, http.client.HTTPException):
                self.lost += 1
            time.sleep(0.005)

    def stop(self) -> None:
        self._is_over = True
        for thread in self._threads:
            thread.join()


def asked_by_http(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/")
    body = connection.getresponse().read()
    connection.close()
    return body


def percentile(waits: list[float], share: float) -> float:
    ordered = sorted(waits)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1) if ordered else 0.0


@contextmanager
def served(name: str, env: Path, folder: Path) -> Iterator[tuple[Callable[[], bytes], int]]:
    """(how it is asked, the worker's process)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [word.format(port=port) for word in SERVERS[name]]
    (folder / "queue").mkdir(exist_ok=True)
    (folder / "results").mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(folder), "C_FORCE_ROOT": "1"}
    process = subprocess.Popen(
        [str(env / "bin" / command[0]), *command[1:]], cwd=folder, env=environment, start_new_session=True
    )

    def ask() -> bytes:
        return asked_by_celery(folder) if name.startswith("celery") else asked_by_http(port)

    try:
        until = time.monotonic() + 120
        while True:
            try:
                yield ask, int(ask())
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def asked_by_celery(folder: Path) -> bytes:
    import tasks  # type: ignore[import-not-found]  # of the environment

    result: str = tasks.handle.delay().get(timeout=60, interval=0.01)
    return result.encode()


def with_tools(env: Path, pid: int, folder: Path) -> dict[str, list[str]]:
    here = str(Path(sys.executable).with_name("leakscan"))
    first = str(env / "bin")
    return {
        "leakscan attach": [here, "attach", str(pid), "-o", str(folder / "x.heap")],
        "py-spy dump": [f"{first}/py-spy", "dump", "--pid", str(pid)],
        "pystack remote": [f"{first}/pystack", "remote", str(pid)],
        "memray attach": [
            f"{first}/memray",
            "attach",
            *("--duration", "3", "-o", str(folder / "x.bin"), str(pid)),
        ],
    }


def looked(env: Path, name: str, seconds: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for file, text in (("app.py", APP), ("site_of.py", DJANGO), ("tasks.py", CELERY)):
            (folder / file).write_text(textwrap.dedent(text))
        os.chdir(folder)
        sys.path.insert(0, place)
        for module in ("tasks", "app"):
            sys.modules.pop(module, None)
        try:
            return _looked(env, name, seconds, folder)
        finally:
            sys.path.remove(place)
            os.chdir("/")


def _looked(env: Path, name: str, seconds: float, folder: Path) -> dict[str, object]:
    rows: dict[str, object] = {}
    with served(name, env, folder) as (ask, pid):
        clients = Clients(ask)
        try:
            time.sleep(seconds)
            clients.waits.clear()
            for tool, command in {"nothing": ["sleep", str(seconds)], **with_tools(env, pid, folder)}.items():
                begun = time.monotonic()
                result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
                ended = time.monotonic()
                time.sleep(max(0.5, seconds - (ended - begun)))
                waits = [wait for at, wait in list(clients.waits) if at + wait >= begun]
                rows[tool] = {
                    "p50": percentile(waits, 0.5),
                    "p99": percentile(waits, 0.99),
                    "most": percentile(waits, 1),
                    "asked": len(waits),
                    "took": round(ended - begun, 2),
                    "exit": result.returncode,
                    "said": " ".join((result.stdout + result.stderr).split())[:160],
                }
            series = [str(Path(sys.executable).with_name("leakscan")), "attach", str(pid)]
            for arm in (["--arm"], *([[]] * INTERVALS)):
                time.sleep(0.5)
                subprocess.run(
                    [*series, *arm, "-o", str(folder / "leak")], check=False, capture_output=True, timeout=120
                )
        finally:
            clients.stop()
        diff = [str(Path(sys.executable).with_name("leakscan")), "diff", "--json", str(folder / "leak")]
        told = subprocess.run(diff, check=False, capture_output=True, text=True)
        rows["answer"] = json.loads(told.stdout)["headline"] if told.stdout else told.stderr[:200]
        rows["lost"] = clients.lost
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--env", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sys.path.append(str(next((options.env / "lib").glob("python3*/site-packages"))))
    result = {}
    for name in SERVERS:
        if options.only in name:
            result[name] = looked(options.env.absolute(), name, options.seconds)
            print(name, json.dumps(result[name]), file=sys.stderr, flush=True)
    print(json.dumps(result, indent=1))
    return 1 if any(row["lost"] for row in result.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
