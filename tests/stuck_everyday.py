"""Waits of everyday programs, each of which can end: stuck_everyday.py OUT.heap FOLDER [uvloop]"""

# ruff: noqa: F841, RUF059, E741, B007, PLW0108  (names are kept for what they keep alive)
from __future__ import annotations

import asyncio
import concurrent.futures as cf
import logging
import logging.handlers
import multiprocessing as mp
import os
import queue
import sys
import threading
import time
import weakref
from multiprocessing.pool import ThreadPool

import leakscan


def square(x):
    time.sleep(60)
    return x


bg = set()


def keep(c):
    t = asyncio.ensure_future(c)
    bg.add(t)
    t.add_done_callback(bg.discard)
    return t


class Channel:
    """The other side is given only a callback."""

    def __init__(s):
        s.cb = None

    def on(s, cb):
        s.cb = cb


chan = Channel()


class Once:
    def __init__(self):
        self.fut = None

    async def wait(self):
        self.fut = asyncio.get_running_loop().create_future()
        return await self.fut


once = Once()


class Proto(asyncio.Protocol):
    def __init__(s):
        s.lost = asyncio.get_running_loop().create_future()

    def connection_lost(s, e):
        s.lost.set_result(1)


async def proto_wait(port):
    tr, p = await asyncio.get_running_loop().create_connection(Proto, "127.0.0.1", port)
    f = p.lost
    del tr, p
    await f


async def callback_wait():
    f = asyncio.get_running_loop().create_future()
    chan.on(lambda v: f.set_result(v))
    await f


async def callback_weakmethod():
    class R:
        def __init__(s):
            s.f = asyncio.get_running_loop().create_future()

        def done(s):
            s.f.set_result(1)

    r = R()
    chan.weak = weakref.WeakMethod(r.done)
    await r.f


async def pool_wait(ex):
    await asyncio.get_running_loop().run_in_executor(ex, square, 2)


async def udp():
    tr, p = await asyncio.get_running_loop().create_datagram_endpoint(D, local_addr=("127.0.0.1", 0))
    await p.f


class D(asyncio.DatagramProtocol):
    def __init__(s):
        s.f = asyncio.get_running_loop().create_future()

    def datagram_received(s, d, a):
        s.f.set_result(d)


async def pipe_reader():
    r, w = os.pipe()
    chan.w = w
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(r, "rb")
    )
    await reader.read(1)


async def barrier2(b):
    await b.wait()


async def barrier_late(b):
    await asyncio.sleep(1000)
    await b.wait()


async def cond_waiter(c):
    async with c:
        await c.wait()


async def notifier(c):
    await asyncio.sleep(1000)
    async with c:
        c.notify_all()


async def sema(s):
    async with s:
        await asyncio.sleep(1000)


async def merge():
    q = asyncio.Queue()

    async def pump(src):
        await asyncio.sleep(1000)
        await q.put(1)

    ts = [asyncio.create_task(pump(i)) for i in range(3)]
    await q.get()


async def debounce():
    ev = asyncio.Event()
    h = asyncio.get_running_loop().call_later(1000, ev.set)
    await ev.wait()


async def stdin_like(q):
    await q.get()


def thread_puts(loop, q):
    time.sleep(1000)
    loop.call_soon_threadsafe(q.put_nowait, 1)


async def sync_bridge():
    ev = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Timer(1000, loop.call_soon_threadsafe, (ev.set,)).start()
    await ev.wait()


async def subscriber(loop):
    f = loop.create_future()

    def on(n):
        f.set_result(n)

    chan.subs = getattr(chan, "subs", []) + [on]
    await f


async def lockuser(l):
    async with l:
        await asyncio.sleep(1000)


async def iterate_proc():
    p = await asyncio.create_subprocess_exec("sleep", "40", stdout=-1, stderr=-3)
    async for line in p.stdout:
        pass


async def unix_server(path):
    s = await asyncio.start_unix_server(lambda r, w: r.read(), path)
    await s.serve_forever()


async def handler_in_server(port):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    chan.w2 = w
    await asyncio.sleep(1000)


async def serve(r, w):
    await r.readline()


def condq_worker(q):
    while True:
        q.get()


def start(f, *a):
    t = threading.Thread(target=f, args=a, daemon=True)
    t.start()
    return t


async def main():
    loop = asyncio.get_running_loop()
    srv = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = srv.sockets[0].getsockname()[1]
    pp = cf.ProcessPoolExecutor(1, mp_context=mp.get_context("spawn"))
    keep(pool_wait(pp))
    tp = cf.ThreadPoolExecutor(2)
    keep(pool_wait(tp))
    tp2 = ThreadPool(2)
    mpq = mp.get_context("spawn").Queue()
    mpq.put(1)
    del mpq
    ql = logging.handlers.QueueListener(queue.Queue(), logging.StreamHandler())
    ql.start()
    chan.h = logging.handlers.QueueHandler(ql.queue)
    del ql
    for c in (
        callback_wait(),
        callback_weakmethod(),
        udp(),
        pipe_reader(),
        once.wait(),
        proto_wait(port),
        merge(),
        debounce(),
        sync_bridge(),
        subscriber(loop),
        iterate_proc(),
        unix_server(sys.argv[2] + "/u.sock"),
        handler_in_server(port),
    ):
        keep(c)
    b = asyncio.Barrier(2)
    keep(barrier2(b))
    keep(barrier_late(b))
    del b
    c = asyncio.Condition()
    keep(cond_waiter(c))
    keep(notifier(c))
    del c
    s = asyncio.Semaphore(1)
    keep(sema(s))
    keep(sema(s))
    del s
    l = asyncio.Lock()
    keep(lockuser(l))
    keep(lockuser(l))
    del l
    q = asyncio.Queue()
    keep(stdin_like(q))
    start(thread_puts, loop, q)
    del q
    tq = queue.Queue()
    chan.tq = tq
    start(condq_worker, tq)
    del tq
    tq = queue.Queue()
    start(lambda q: (time.sleep(1000), q.put(1)), tq)
    start(condq_worker, tq)
    del tq
    await asyncio.sleep(3)
    leakscan.snapshot(sys.argv[1])
    for p in mp.active_children():
        p.kill()
    os._exit(0)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
