"""Tasks of trio, stuck and fine by their names: stuck_trio.py OUT.heap"""

from __future__ import annotations

import os
import signal
import sys
import time

import trio

import leakscan


class Live:
    pass


live = Live()
live.event = trio.Event()


async def waiter_stuck_event():
    event = trio.Event()
    await event.wait()


async def waiter_stuck_receive(receive):
    await receive.receive()


async def waiter_stuck_lock():
    lock, condition = trio.Lock(), trio.Condition()
    await lock.acquire()
    async with condition:
        await condition.wait()


async def waiter_stuck_nursery():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiter_stuck_event)


async def lost():
    event = trio.Event()
    await event.wait()


async def waiter_fine_event():
    await live.event.wait()


async def waiter_fine_sleep():
    await trio.sleep(1000)


async def waiter_fine_timeout():
    with trio.move_on_after(1000):
        await lost()


async def waiter_fine_nursery_with_timeout():
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lost)


async def waiter_fine_thread():
    await trio.to_thread.run_sync(time.sleep, 1000, abandon_on_cancel=True)


async def waiter_fine_receive(receive):
    await receive.receive()


async def waiter_fine_socket():
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    await listeners[0].accept()


async def waiter_fine_nursery():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiter_fine_sleep)


async def waiter_fine_signal():
    with trio.open_signal_receiver(signal.SIGUSR1) as received:
        async for _ in received:
            pass


async def waiter_fine_forever():
    await trio.sleep_forever()


async def waiter_fine_anonymous():
    await trio.Event().wait()


async def main():
    async with trio.open_nursery() as nursery:
        for name, function in list(globals().items()):
            if name.startswith("waiter_") and not function.__code__.co_argcount:
                nursery.start_soon(function)
        send, receive = trio.open_memory_channel(0)
        nursery.start_soon(waiter_stuck_receive, receive)
        live.send, receive = trio.open_memory_channel(0)
        nursery.start_soon(waiter_fine_receive, receive)
        del send, receive
        await trio.sleep(0.3)
        leakscan.snapshot(sys.argv[1])
        os._exit(0)


trio.run(main)
