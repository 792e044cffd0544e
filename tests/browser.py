"""A headless Chromium driven through its debugging pipe: nothing to install besides Chromium itself."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_AT_THREE_AND_FOUR = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str | None:
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Browser:
    """One page. Its network is off unless a server on this machine is to be reached; what it says is kept."""

    def __init__(self, profile: Path, *, has_network: bool = False) -> None:
        program = chromium()
        assert program is not None
        from_us, to_us = os.pipe(), os.pipe()
        # Above 9, so that neither is 3 or 4: Chromium reads its commands from 3 and answers on 4.
        commands, answers = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (from_us[0], to_us[1]))
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _AT_THREE_AND_FOUR, str(commands), str(answers), program),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
            ],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (from_us[0], to_us[1], commands, answers):
            os.close(end)
        self._write, self._read = from_us[1], os.fdopen(to_us[0], "rb")
        self._number = 0
        self.messages: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        if not has_network:
            self.call(
                "Network.emulateNetworkConditions",
                offline=True,
                latency=0,
                downloadThroughput=0,
                uploadThroughput=0,
            )

    def call(self, method: str, **params: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session := getattr(self, "_session", None):
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, page: Path) -> None:
        self.go(page.resolve().as_uri())

    def go(self, address: str) -> None:
        self.messages.clear()
        self.call("Page.navigate", url=address)
        self.wait_for_load()

    def click(self, selector: str) -> None:
        """Follow the link that the selector finds first, as a reader does, and wait for its page."""
        self.messages.clear()
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.wait_for_load()

    def wait_for_load(self) -> None:
        while not any(each.get("method") == "Page.loadEventFired" for each in self.messages):
            self._next()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def show_as(self, *, width: int = 1000, dark: bool = False, media: str = "") -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media=media, features=scheme)

    def picture(self, path: Path) -> None:
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def paper(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF")["data"]))

    def complaints(self) -> list[str]:
        """Errors of scripts, refused loads, and violations of the content security policy."""
        logged = (each["params"] for each in self.messages if each.get("method") == "Log.entryAdded")
        thrown = (each["params"] for each in self.messages if each.get("method") == "Runtime.exceptionThrown")
        return [each["entry"]["text"] for each in logged] + [str(each) for each in thrown]

    def requests(self) -> list[str]:
        sent = (each for each in self.messages if each.get("method") == "Network.requestWillBeSent")
        return [each["params"]["request"]["url"] for each in sent]

    def close(self) -> None:
        os.close(self._write)
        self._read.close()
        self._process.terminate()
        self._process.wait()

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            assert byte, "chromium went away"
            text += byte
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.messages.append(message)
        return message
