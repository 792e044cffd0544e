"""The recipes for web applications: one request a run, on the released frameworks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asked import kinds
from leakscan.answers.analyse import analysed_capture
from leakscan.capture import Settings, capture
from leakscan.capture.scenario.requests import parse_request
from leakscan.errors import LeakscanError
from verdicts import first_leak

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "web-application.md"
RUNS = 5
LEAKS = {
    "fastapi": "app.state.seen.append(Seen())",
    "starlette": "app.state.seen.append(Seen())",
    "flask": "SEEN.append(Seen())",
    "django": "SEEN.append(Seen())",
}


def recipe(framework: str) -> dict[str, str]:
    """The files of that framework's section, by the name in their first line."""
    section = PAGE.read_text().partition(f"\n## {framework}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", section, re.S | re.I)
    assert blocks, f"{PAGE.name} has no recipe for {framework}"
    return dict(blocks)


@pytest.mark.parametrize("framework", kinds(LEAKS, "fastapi", "django"))
def test_the_recipe_finds_a_planted_leak_and_is_silent_on_its_fixed_twin(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip(framework)
    monkeypatch.chdir(tmp_path)
    for planted in (True, False):
        for name, text in recipe(framework).items():
            assert planted or LEAKS[framework] in text or name != "app.py"
            Path(name).write_text(text if planted else text.replace(LEAKS[framework], "Seen()"))
        settings = Settings(runs=RUNS, warmup=3)
        found = capture("scenario.py:once", output=tmp_path / "leak", settings=settings, overwrite=True)
        assert first_leak(analysed_capture(found)) == ((RUNS, "Seen") if planted else None)


@pytest.mark.parametrize("framework", kinds(LEAKS, "starlette", "flask"))
def test_an_application_is_sent_requests_without_a_scenario(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip(framework)
    monkeypatch.chdir(tmp_path)
    text = recipe(framework)["app.py"]
    if framework == "django":
        text += "\nfrom django.core.wsgi import get_wsgi_application\napp = get_wsgi_application()\n"
    request = 'POST /chat {"text": "hi"}' if framework in ("fastapi", "flask") else "/chat"
    settings = Settings(runs=RUNS, warmup=3, requests=(parse_request(request),))
    for leak, code in (((RUNS, "Seen"), text), (None, text.replace(LEAKS[framework], "Seen()"))):
        Path("app.py").write_text(code)
        found = capture("app.py:app", output=tmp_path / "leak", settings=settings, overwrite=True)
        assert first_leak(analysed_capture(found)) == leak


@pytest.mark.parametrize(("framework", "kind"), [("fastapi", "an ASGI"), ("flask", "a WSGI")])
def test_an_application_itself_is_refused_before_the_runs(
    framework: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip(framework)
    monkeypatch.chdir(tmp_path)
    for name, text in recipe(framework).items():
        Path(name).write_text(text)
    with pytest.raises(LeakscanError, match=f"app.py:app is {kind} application, not a scenario"):
        capture("app.py:app", output=tmp_path / "leak")
