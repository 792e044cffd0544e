"""Whose request: blocks carry the work that was under way when they were allocated."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import sys
import threading
from collections.abc import Iterator
from concurrent.futures.thread import ThreadPoolExecutor

import pytest

import leakscan
from leakscan import _native
from leakscan.heap.reader import load
from leakscan.record import births, works, works_threads
from leakscan.record.works import AsgiWork, CeleryWork, TaskWork, WsgiWork, route_of

AS_THEY_WERE = (ThreadPoolExecutor.submit, threading.Thread.start, threading.Thread._set_ident)
"""What hands a work over to threads while births are recorded."""


class Thing:
    pass


@pytest.fixture
def recorded() -> Iterator[None]:
    births.arm(runs=20)
    births.begin_run(1)
    yield
    births.disarm()


def born_in(thing: object) -> str:
    """The name of the work that its block belongs to; "" for none."""
    number = _native.works_of(thing)
    return next((name for name, known in works._numbers.items() if known == number), "")


def test_what_is_made_in_a_work_is_born_in_it(recorded):
    before = Thing()
    with leakscan.work("A"):
        inside = Thing()
        with leakscan.work("B"):
            inner = Thing()
        after_inner = Thing()
    after = Thing()
    assert [born_in(each) for each in (before, inside, inner, after_inner, after)] == ["", "A", "B", "A", ""]


def test_an_exception_ends_the_work(recorded):
    with pytest.raises(ZeroDivisionError), leakscan.work("A"):
        raise ZeroDivisionError
    assert born_in(Thing()) == ""


def test_it_follows_tasks_callbacks_and_threads_of_pools(recorded):
    made: dict[str, Thing] = {}

    def make(name: str) -> None:
        made[name] = Thing()

    async def background() -> None:
        await asyncio.sleep(0)
        make("task")
        asyncio.get_running_loop().call_soon(make, "callback")
        await asyncio.sleep(0)

    async def main(pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        with leakscan.work("A"):
            task = asyncio.create_task(background())
            await asyncio.to_thread(make, "to_thread")
            await loop.run_in_executor(pool, make, "pool")
            await loop.run_in_executor(None, make, "loop's pool")
            pool.submit(make, "submit").result()
        make("outside")
        await loop.run_in_executor(pool, make, "outside in the pool")
        await task

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asyncio.run(main(pool))
    inside = ("task", "callback", "to_thread", "pool", "loop's pool", "submit")
    assert {name: born_in(made[name]) for name in inside} == dict.fromkeys(inside, "A")
    assert (born_in(made["outside"]), born_in(made["outside in the pool"])) == ("", "")


def test_it_follows_threads_and_the_threads_that_they_start(recorded):
    made: dict[str, Thing] = {}

    def make(key: str) -> None:
        made[key] = Thing()

    def start_another() -> None:
        make("thread")
        inner = threading.Thread(target=make, args=("of a thread",))
        inner.start()
        inner.join()

    class Own(threading.Thread):
        def run(self) -> None:
            make("subclass")

    context = contextvars.copy_context()
    with leakscan.work("A"):
        threads = [threading.Thread(target=start_another), threading.Timer(0, make, ("timer",)), Own()]
        if sys.version_info >= (3, 14):
            threads.append(threading.Thread(target=make, args=("in a context",), context=context))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    outside = threading.Thread(target=make, args=("outside",))
    outside.start()
    outside.join()
    assert born_in(made.pop("outside")) == ""
    assert {key: born_in(thing) for key, thing in made.items()} == dict.fromkeys(made, "A")
    assert len(made) == len(threads) + 1


def test_a_thread_that_serves_everybody_is_of_no_work(recorded):
    pool = ThreadPoolExecutor(1)
    with leakscan.work("A"):
        assert born_in(pool.submit(Thing).result()) == "A"
    assert born_in(pool.submit(Thing).result()) == ""
    pool.shutdown()


def test_a_thread_that_cannot_start_leaves_nothing(recorded):
    with leakscan.work("A"):
        thread = threading.Thread(target=Thing)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError):
            thread.start()
    assert works_threads._starting == {}


def test_threads_that_take_turns_keep_their_own(recorded):
    turn, wrong = threading.Barrier(4), []

    def work(name: str) -> None:
        with leakscan.work(name):
            for _ in range(200):
                turn.wait(timeout=60)
                thing = Thing()
                if born_in(thing) != name:
                    wrong.append((name, born_in(thing)))

    threads = [threading.Thread(target=work, args=(f"thread {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_context_that_is_entered_by_hand_has_its_own(recorded):
    with leakscan.work("A"):
        copied = contextvars.copy_context()
    assert born_in(copied.run(Thing)) == "A"
    assert born_in(Thing()) == ""


@pytest.mark.parametrize(
    "make", [lambda: [1], lambda: {"a": 1}, lambda: (object(),)], ids=["list", "dict", "tuple"]
)
def test_blocks_that_were_used_before_are_born_anew(recorded, make):
    with leakscan.work("A"):
        dead = [make() for _ in range(50)]
    del dead
    with leakscan.work("B"):
        alive = [make() for _ in range(50)]
    assert {born_in(each) for each in alive} == {"B"}


def test_the_snapshot_says_which_works_began_how_often(recorded, tmp_path):
    kept = []
    for _ in range(3):
        with leakscan.work("POST /chat"):
            kept.append(Thing())
    with leakscan.work("näme ☃"):
        pass
    leakscan.snapshot(tmp_path / "a.heap")
    graph = load(tmp_path / "a.heap")
    names = [graph.strings[int(name)] for name in graph.work_names]
    begun = dict(zip(names, graph.works_begun.tolist(), strict=True))
    assert (begun["POST /chat"], begun["näme ☃"]) == (3, 1)
    things = [row for row, name in enumerate(graph.type_names) if name.endswith("test_works.Thing")]
    (born,) = {
        int(graph.works[obj]) for obj in range(graph.object_count) if int(graph.type_ids[obj]) in things
    }
    assert names[born] == "POST /chat"


def test_counts_begin_anew_when_births_are_armed(tmp_path):
    for _ in range(2):
        births.arm(runs=5)
        births.begin_run(1)
        with leakscan.work("again"):
            pass
        leakscan.snapshot(tmp_path / "a.heap")
        births.disarm()
        graph = load(tmp_path / "a.heap")
        names = [graph.strings[int(name)] for name in graph.work_names]
        assert graph.works_begun[names.index("again")] == 1


def as_they_are() -> tuple[object, ...]:
    return (ThreadPoolExecutor.submit, threading.Thread.start, threading.Thread._set_ident)


def test_without_births_nothing_is_changed_and_nothing_is_left():
    assert as_they_are() == AS_THEY_WERE
    with leakscan.work("A"):
        assert works.current.get() == 0
    births.arm(runs=5)
    assert not set(as_they_are()) & set(AS_THEY_WERE)
    births.disarm()
    assert as_they_are() == AS_THEY_WERE


def test_a_work_that_outlives_the_recording_ends_in_peace(recorded):
    with leakscan.work("A"):
        births.disarm()
        Thing()
    gc.collect()


def test_long_names_are_cut_at_a_character(recorded):
    assert _native.works_number("é" * 100) == _native.works_number("é" * 59)
    assert _native.works_number("é" * 58) != _native.works_number("é" * 59)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("", "/"),
        ("/users/17/orders", "/users/*/orders"),
        ("/api/v2/items/a9f3-11", "/api/v2/items/*"),
        ("/files/" + "x" * 50, "/files/*"),
        ("/chat", "/chat"),
    ],
)
def test_parts_of_a_path_that_name_one_thing_are_left_out(path, route):
    assert route_of(path) == route


def test_requests_of_an_asgi_application_are_works(recorded):
    made = []

    async def app(scope, receive, send):
        made.append(Thing())
        await asyncio.sleep(0)

    async def main() -> None:
        served = AsgiWork(app)
        await served({"type": "http", "method": "GET", "path": "/users/3"}, None, None)
        await served({"type": "websocket", "path": "/feed"}, None, None)
        await served({"type": "lifespan"}, None, None)

    asyncio.run(main())
    assert [born_in(each) for each in made] == ["GET /users/*", "WEBSOCKET /feed", ""]


def test_the_body_of_a_wsgi_application_belongs_to_its_request(recorded):
    made = []

    def app(environ, start_response):
        made.append(Thing())
        try:
            yield b"a"
            made.append(Thing())
            yield b"b"
        finally:
            made.append(Thing())

    body = WsgiWork(app)({"REQUEST_METHOD": "GET", "PATH_INFO": "/export"}, lambda *_: None)
    assert next(iter(body)) == b"a"
    between = Thing()
    assert next(iter(body)) == b"b"
    body.close()
    assert [born_in(each) for each in made] == ["GET /export"] * 3
    assert born_in(between) == ""


def test_tasks_of_celery_are_works_by_their_name_and_eager_ones_lie_inside(recorded):
    celery = pytest.importorskip("celery")
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    made = []

    @app.task(name="shop.mail")
    def mail():
        made.append(Thing())

    @app.task(name="shop.order", autoretry_for=(KeyError,), max_retries=1, retry_backoff=False)
    def order(fails):
        made.append(Thing())
        mail.delay()
        made.append(Thing())
        if fails:
            raise ValueError(fails)

    follower = CeleryWork()
    order.delay(fails=False)
    order.delay(fails=True)
    outside = Thing()
    follower.stop()
    order.delay(fails=False)
    of_order = ["shop.order", "shop.mail", "shop.order"]
    assert [born_in(each) for each in made] == [*of_order, *of_order, "", "", ""]
    assert born_in(outside) == "" and follower._entered == {}


def test_a_worker_of_celery_with_threads_names_each_task(recorded):
    pytest.importorskip("celery")
    from celery import Celery
    from celery.contrib.testing.worker import start_worker

    app = Celery("shop", broker="memory://", backend="cache+memory://")
    made = {}

    def each(name):
        @app.task(name=name)
        def run(number):
            made[name, number] = Thing()

        return run

    tasks = [each(f"shop.{name}") for name in ("a", "b", "c")]
    follower = CeleryWork()
    with start_worker(app, pool="threads", concurrency=3, perform_ping_check=False, shutdown_timeout=60):
        asked = [task.delay(number) for number in range(10) for task in tasks]
        for each_asked in asked:
            each_asked.get(timeout=60)
    follower.stop()
    assert {key: born_in(thing) for key, thing in made.items()} == {key: key[0] for key in made}
    assert len(made) == 30


def test_tasks_of_a_loop_are_works_by_the_name_of_their_function(recorded):
    made: dict[str, Thing] = {}

    async def child():
        await asyncio.sleep(0)
        made["child"] = Thing()

    async def poll_feed():
        made["poll"] = Thing()
        await asyncio.create_task(child())
        await asyncio.to_thread(lambda: made.update(thread=Thing()))
        await asyncio.get_running_loop().run_in_executor(None, lambda: made.update(pool=Thing()))

    async def request():
        await asyncio.sleep(0)
        made["request"] = Thing()

    async def main():
        factory = asyncio.get_running_loop().get_task_factory()
        follower = TaskWork()
        poll = asyncio.create_task(poll_feed(), name="poll")
        with leakscan.work("POST /chat"):
            inner = asyncio.create_task(request())
        await asyncio.gather(poll, inner)
        follower.stop()
        assert asyncio.get_running_loop().get_task_factory() is factory
        made["main"] = Thing()

    asyncio.run(main())
    said = {name: born_in(thing).rpartition(".")[2] for name, thing in made.items()}
    assert said == {
        **dict.fromkeys(("poll", "child", "thread", "pool"), "poll_feed"),
        "request": "POST /chat",
        "main": "",
    }


def test_a_hundred_thousand_requests_keep_their_counts_and_the_table_its_size(recorded):
    """An hour of a service, compressed: twelve routes, tasks of their own, a pool, one route that keeps."""
    kept: list[Thing] = []
    routes = [f"GET /r{number}" for number in range(12)]

    async def request(route: str, pool: ThreadPoolExecutor | None) -> None:
        with leakscan.work(route):
            thing = Thing()
            if pool is not None:
                await asyncio.get_running_loop().run_in_executor(pool, Thing)
            if route == routes[7]:
                kept.append(thing)

    async def serve(pool: ThreadPoolExecutor) -> None:
        for start in range(0, 50_000, 1000):
            numbers = range(start, start + 1000)
            await asyncio.gather(*(request(routes[n % 12], None if n % 50 else pool) for n in numbers))

    before = 0
    with ThreadPoolExecutor(3) as pool:
        for half in range(2):
            asyncio.run(serve(pool))
            if not half:
                before = _native.births_usage()[1]
                for thing in kept[::500]:
                    assert born_in(thing) == routes[7]
                kept.clear()
    assert _native.births_usage()[1] < before * 1.5 + 2**20
    assert {born_in(thing) for thing in kept} == {routes[7]} and len(kept) == 4167


# The last: after it the table of this process is full.
def test_who_asks_for_too_many_works_has_the_rest_in_one(tmp_path):
    numbers = {_native.works_number(f"tenant {number}") for number in range(65_300)}
    assert max(numbers) == 65_001
    births.arm(runs=5)
    births.begin_run(1)
    with leakscan.work("tenant 65299"):
        Thing()
    leakscan.snapshot(tmp_path / "a.heap")
    births.disarm()
    graph = load(tmp_path / "a.heap")
    assert any("65 000 works" in warning for warning in graph.warnings)
    assert graph.works_begun[65_001] == 1
