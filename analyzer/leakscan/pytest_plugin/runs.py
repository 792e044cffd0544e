"""One run of a test: set up, called and torn down, without a report."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from leakscan.record.scenario import Scenario
from leakscan.record.streams import ModeDoesNotApply

try:
    from _pytest.tmpdir import tmppath_result_key as _PASSED
except ImportError:
    # Another pytest keeps it elsewhere.
    _PASSED = pytest.StashKey[dict[str, bool]]()

# Any in this file: what tests and their fixtures return.

END: Final = pytest.StashKey[Scenario]()
"""How the runs of a test end the streams that it returns."""
NOT_APPLICABLE: Final = pytest.StashKey[str]()
_CHUNKS: Final = 3
_MOST_EXAMPLES: Final = 10
_SETTINGS: Final = "_hypothesis_internal_use_settings"


class RunFailed(Exception):
    """A measured run did not pass. Its text is pytest's own report of it, "" when it was skipped."""


def run_once(item: pytest.Function) -> bool:
    """Set up, call and tear down; whether that gave nothing to the report. RunFailed: it did not pass."""
    from _pytest.runner import runtestprotocol

    properties, sections = len(item.user_properties), len(item._report_sections)
    item._initrequest()
    with _same_examples(item):
        # With the parent as next item only what belongs to this item is torn down, the item itself included.
        reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]  # has listchain
    failed = next((report for report in reports if not report.passed), None)
    is_quiet = len(item.user_properties) == properties and len(item._report_sections) == sections
    # What reporting collects for one run would pile up over many.
    del item.user_properties[properties:], item._report_sections[sections:]
    drop_done_finalizers(item)
    if failed is not None:
        raise RunFailed("" if failed.skipped else failed.longreprtext)
    return is_quiet


def runs_alike(item: pytest.Function) -> bool:
    """Whether a run for the report does what `run_once` does."""
    return not hasattr(getattr(item.obj, "__func__", item.obj), _SETTINGS)


@contextlib.contextmanager
def _same_examples(item: pytest.Function) -> Iterator[None]:
    """Have hypothesis draw the same few examples in each run: others would fill caches with other values."""
    function = getattr(item.obj, "__func__", item.obj)
    settings = getattr(function, _SETTINGS, None)
    if settings is None:
        yield
        return
    few = min(settings.max_examples, _MOST_EXAMPLES)
    same = type(settings)(settings, max_examples=few, derandomize=True, database=None)
    setattr(function, _SETTINGS, same)
    try:
        yield
    finally:
        setattr(function, _SETTINGS, settings)


def drop_done_finalizers(item: pytest.Function) -> None:
    """A fixture that outlives the test keeps a finalizer for each use by one that is torn down by now."""
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for fixture in (each for found in definitions.values() for each in found):
        kept = getattr(fixture, "_finalizers", None)
        if fixture.scope != "function" and isinstance(kept, list):
            kept[:] = [each for each in kept if not _is_done(each)]


def _is_done(finalizer: object) -> bool:
    """Whether it finishes a fixture of a function, and that has been finished."""
    finish = getattr(finalizer, "func", None)
    fixture = getattr(finish, "__self__", None)
    return (
        getattr(finish, "__name__", "") == "finish"
        and isinstance(fixture, pytest.FixtureDef)
        and fixture.scope == "function"
        and getattr(fixture, "cached_result", True) is None
    )


def warm(item: pytest.Item) -> None:
    """Have made what pytest makes once for each test that is run."""
    _ = item.location


def tidy(item: pytest.Item) -> None:
    """Let go of what pytest keeps of a run until the next: the records that its logging captured.

    And have the tables whose entries come and go with each run made anew here: else every few runs would
    leave the larger table that one of them needs for a time.
    """
    if type(passed := item.stash.get(_PASSED, None)) is dict:
        item.stash[_PASSED] = passed.copy()
    _make_anew(item.stash, "_storage")
    _make_anew(getattr(item.session, "_setupstate", None), "stack")
    plugin = item.config.pluginmanager.getplugin("logging-plugin")
    for name in ("caplog_handler", "report_handler"):
        handler = getattr(plugin, name, None)
        if handler is not None:
            handler.reset()


def _make_anew(owner: object, name: str) -> None:
    table = getattr(owner, name, None)
    if type(table) is dict:
        setattr(owner, name, table.copy())


def ending(mode: str) -> Scenario:
    """What brings the streams of a test to the end that the mode asks for."""
    return Scenario(lambda: None, mode=mode, chunks=_CHUNKS, owns_main=False)


def ended(item: pytest.Function, function: Callable[..., Any]) -> Callable[..., Any]:
    """The test function, with the stream that it returns brought to the end that is being measured."""
    scenario = item.stash.get(END, None) or ending("consume")

    def skip(reason: ModeDoesNotApply) -> None:
        item.stash[NOT_APPLICABLE] = str(reason)
        pytest.skip(str(reason))

    @functools.wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> None:
        try:
            await scenario.drive(function(*args, **kwargs))
        except ModeDoesNotApply as reason:
            skip(reason)

    @functools.wraps(function)
    def run_sync(*args: Any, **kwargs: Any) -> None:
        try:
            scenario.end(function(*args, **kwargs))
        except ModeDoesNotApply as reason:
            skip(reason)

    return run_async if inspect.iscoroutinefunction(function) else run_sync
