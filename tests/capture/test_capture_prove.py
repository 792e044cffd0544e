"""A cut applied for real, in a forked child."""

from __future__ import annotations

import asyncio
import atexit
import collections
import contextvars
import errno
import functools
import gc
import io
import os
import pickle
import queue
import signal
import sys
import threading
import types
import xml.etree.ElementTree as ElementTree

import pytest

from leakscan.record import births
from leakscan.record.clearing import (
    ATTRIBUTE,
    CONTEXT,
    INDEX,
    KEY,
    KEY_INT,
    KEY_OTHER,
    KEY_STR,
    LOCAL,
    MEMBER,
    ROOT,
    SLOT,
    TYPE,
    UNNAMED,
)
from leakscan.record.cutting import prove


class Node:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Slotted:
    __slots__ = ("held",)


def closure_over(held):
    return (lambda: held).__closure__[0]


def slotted(held):
    holder = Slotted()
    holder.held = held
    return holder


def counts(result):
    return result["of"], result["freed"], result["not_cleared"]


@pytest.mark.parametrize(
    ("hold", "kind", "label"),
    [
        (lambda node: {"x": node}, KEY_STR, "x"),
        (lambda node: {node: "x"}, KEY, "<Node>"),
        (lambda node: [0, node], INDEX, "1"),
        (lambda node: collections.deque([node]), INDEX, "0"),
        (lambda node: {node}, MEMBER, ""),
        (closure_over, SLOT, "cell_contents"),
        (slotted, SLOT, "held"),
        (lambda node: Node(held=node), ATTRIBUTE, "held"),
    ],
)
def test_a_reference_of_each_kind_is_cleared_and_what_it_held_is_freed(hold, kind, label):
    node = Node()
    address, holder = id(node), hold(node)
    del node
    result = prove([(id(holder), kind, label, address)], [(address, 0, True)])
    assert counts(result) == (1, 1, [])


def test_what_something_else_holds_is_not_freed():
    node = Node()
    holder = [node]
    result = prove([(id(holder), INDEX, "0", id(node))], [(id(node), 0, True)])
    assert counts(result) == (1, 0, [])


def test_where_no_child_can_be_started_the_proof_says_so(monkeypatch):
    def refused() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refused)
    result = prove([], [])
    assert result == {"failed": "no child process could be started: Resource temporarily unavailable"}


def test_the_process_itself_keeps_everything():
    node = Node()
    holder = [node]
    prove([(id(holder), INDEX, "0", id(node))], [(id(node), 0, True)])
    assert holder == [node]


def test_what_takes_the_place_of_a_survivor_is_not_taken_for_it():
    class Heir:
        pass

    class Ancestor:
        def __del__(self):
            heirs.append(Heir())

    heirs = []
    holder = [Ancestor() for _ in range(50)]
    addresses = [id(each) for each in holder]
    references = [(id(holder), INDEX, str(at), address) for at, address in enumerate(addresses)]
    assert counts(prove(references, [(address, 0, True) for address in addresses])) == (50, 50, [])


def test_cyclic_survivors_are_freed_by_the_collection_that_follows():
    node = Node()
    node.me = node
    address, holder = id(node), [node]
    del node
    assert prove([(id(holder), INDEX, "0", address)], [(address, 0, True)])["freed"] == 1


def test_a_child_of_an_xml_element_is_removed():
    tree = ElementTree.Element("feed")
    address = id(ElementTree.SubElement(tree, "item"))
    ElementTree.SubElement(tree, "other")
    result = prove([(id(tree), UNNAMED, "", address)], [(address, 0, True)])
    assert counts(result) == (1, 1, [])


def test_the_memo_of_a_pickler_is_emptied():
    pickler = pickle.Pickler(io.BytesIO())
    node = Callable()
    address = id(node)
    pickler.dump(node)
    del node
    result = prove([(id(pickler), UNNAMED, "", address)], [(address, 0, True)])
    assert counts(result) == (1, 1, [])


def test_an_object_gets_the_oldest_class_back_that_it_can_have():
    holder = Node()
    for _ in range(3):
        holder.__class__ = type("Layer", (type(holder),), {})
    layers = [id(one) for one in type(holder).__mro__[:3]]
    result = prove([(id(holder), TYPE, "", layers[0])], [(one, 0, True) for one in layers])
    assert counts(result) == (3, 3, [])


def test_what_cannot_be_cleared_is_said():
    node = Node()
    address, holder = id(node), (node, [])
    del node
    result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)])
    assert (result["freed"], result["not_cleared"]) == (
        0,
        ["tuple: TypeError: nothing outside can clear this reference (kind 7 '0')"],
    )


def test_a_finalizer_that_ends_the_process_is_a_failed_experiment():
    class Rude:
        def __del__(self):
            if os.getpid() != parent:
                os._exit(9)

    parent = os.getpid()
    rude = Rude()
    address, holder = id(rude), [rude]
    del rude
    result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)])
    assert result == {"failed": "the experiment's process ended with status 9"}


LET_GO: list[threading.Event] = []
"""Set in the parent, as soon as a first child is there."""
GONE: list[threading.Thread] = []


def _let_go() -> None:
    for event in LET_GO:
        event.set()
    for thread in GONE:
        thread.join()


os.register_at_fork(after_in_parent=_let_go)


def test_what_a_thread_was_at_work_on_when_the_process_was_forked_is_asked_again():
    held, let_go, goes_on = threading.Event(), threading.Event(), threading.Event()

    def work():
        item = holder[0]  # noqa: F841 - in the child this frame holds it for ever
        held.set()
        let_go.wait()

    holder = [Node()]
    address = id(holder[0])
    at_work, other = threading.Thread(target=work), threading.Thread(target=goes_on.wait)
    at_work.start()
    other.start()
    held.wait()
    LET_GO.append(let_go)
    GONE.append(at_work)
    try:
        result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)])
    finally:
        LET_GO.clear()
        GONE.clear()
        goes_on.set()
    assert counts(result) == (1, 1, [])


@pytest.fixture
def in_run_one():
    births.arm(runs=5)
    births.begin_run(1)
    yield
    births.disarm()


ATOMS = {
    "text": lambda: "a line " * len(sys.argv[0] * 9),
    "number": lambda: int("9" * 40),
    "untracked tuple": lambda: (*"ab", 1),
    "instance": Node,
    "instance with slots": Slotted,
    "dict": lambda: {"a": 1},
    "exception": lambda: ValueError("x"),
}


@pytest.mark.usefixtures("in_run_one")
@pytest.mark.parametrize("kind", ATOMS)
def test_what_was_born_in_the_runs_is_counted_whether_the_collector_tracks_it_or_not(kind):
    holder = [ATOMS[kind](), ATOMS[kind]()]
    addresses = [id(item) for item in holder]
    has_header = type(holder[0]).__flags__ & 1 << 14 != 0
    survivors = [(address, 1, has_header) for address in addresses]
    result = prove([(id(holder), INDEX, "0", addresses[0])], survivors, [(addresses[1], 1, has_header)])
    assert (counts(result), result["others_freed"]) == ((2, 1, []), 0)


@pytest.mark.usefixtures("in_run_one")
def test_what_is_not_there_any_more_is_not_counted():
    gone = id("a line" * 99)
    assert counts(prove([], [(gone, 1, False)])) == (0, 0, [])


class Angry:
    """Its hash is not the same twice."""

    hashes = 0

    def __hash__(self):
        Angry.hashes += 1
        return Angry.hashes


class Shadowed:
    """Its attribute lies below a property that cannot be set."""

    @property
    def held(self):
        return None


class Frozen:
    __slots__ = ("held",)

    def __setattr__(self, name, value):
        raise AttributeError("frozen")


VARIABLE = contextvars.ContextVar("session_of_the_test")
LOOP = asyncio.new_event_loop()


def class_namespace(node):
    owner = type("Owner", (), {"held": node})
    return gc.get_referents(owner)[0], owner


def shadowed(node):
    holder = Shadowed()
    vars(holder)["held"] = node
    return holder


def frozen(node):
    holder = Frozen()
    object.__setattr__(holder, "held", node)
    return holder


def default_argument(node):
    def function(held=node):
        return held

    return function


def cached(node):
    function = functools.lru_cache(lambda number: node_of.pop())
    node_of = [node]
    function(1)
    return function


def with_callback(node):
    future = LOOP.create_future()
    future.add_done_callback(node)
    return future


def suspended(node):
    def generator():
        held = node_of.pop()
        yield
        del held

    node_of = [node]
    made = generator()
    next(made)
    return made


@types.coroutine
def pause():
    yield


def waiting(node):
    async def work():
        held = node_of.pop()
        await pause()
        del held

    node_of = [node]
    made = work()
    made.send(None)
    return made


def in_a_context(node):
    context = contextvars.copy_context()
    context.run(VARIABLE.set, node)
    return context


def queued(node):
    made = queue.SimpleQueue()
    made.put(node)
    return made


class Callable(Node):
    def __call__(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("hold", "kind", "label"),
    [
        (lambda node: collections.OrderedDict(x=node), KEY_STR, "x"),
        (lambda node: collections.OrderedDict([(node, 1)]), KEY, "<Node>"),
        (lambda node: collections.defaultdict(list, {1: node}), KEY_INT, "1"),
        (lambda node: {(1, 2): node}, KEY_OTHER, "<tuple>"),
        (class_namespace, KEY_STR, "held"),
        (shadowed, ATTRIBUTE, "held"),
        (frozen, SLOT, "held"),
        (with_callback, SLOT, "_callbacks"),
        (functools.partial, SLOT, "func"),
        (suspended, LOCAL, "held"),
        (queued, INDEX, "0"),
    ],
)
def test_whatever_a_cut_can_name_is_cleared(hold, kind, label):
    node = Callable()
    address, held = id(node), hold(node)
    del node
    holder = held[0] if isinstance(held, tuple) and not isinstance(held, Node) else held
    result = prove([(id(holder), kind, label, address)], [(address, 0, True)])
    assert counts(result) == (1, 1, [])


@pytest.mark.parametrize("kind", [KEY, MEMBER])
def test_keys_whose_hash_changes_are_taken_out_all_the_same(kind):
    angry = Angry()
    address, holder = id(angry), {angry: 1} if kind == KEY else {angry}
    del angry
    assert counts(prove([(id(holder), kind, "<Angry>", address)], [(address, 0, True)])) == (1, 1, [])


@pytest.mark.parametrize(("kind", "keys"), [(KEY_INT, (1, 2)), (KEY_STR, ("a", "b"))])
def test_entries_that_a_thread_has_made_anew_are_taken_out(kind, keys):
    first, second = Node(), Node()
    holder = dict(zip(keys, (second, Node()), strict=True))
    addresses = id(first), id(second), id(holder[keys[1]])
    del second
    # When the snapshot was taken the first key had the first one, and the second key what the first has now.
    references = [
        (id(holder), kind, str(key), address) for key, address in zip(keys, addresses, strict=False)
    ]
    result = prove(references, [(address, 0, True) for address in addresses[1:]])
    assert counts(result) == (2, 2, [])


def test_what_a_cache_of_functools_remembers_is_forgotten():
    node = Node()
    address, holder = id(node), cached(node)
    del node
    result = prove([(id(holder), KEY_INT, "1", address)], [(address, 0, True)])
    assert counts(result) == (1, 1, [])


def test_a_default_argument_is_forgotten():
    node = Node()
    address, function = id(node), default_argument(node)
    del node
    result = prove([(id(function.__defaults__), INDEX, "0", address)], [(address, 0, True)])
    assert counts(result) == (1, 1, [])


def test_a_local_of_a_suspended_coroutine_is_cleared():
    node = Node()
    address, holder = id(node), waiting(node)
    del node
    result = prove([(id(holder), LOCAL, "held", address)], [(address, 0, True)])
    holder.close()
    assert counts(result) == (1, 1, [])


def test_a_local_of_a_frame_that_runs_in_this_thread_is_cleared():
    held = Node()
    result = prove([(0x10, LOCAL, "held", id(held))], [(id(held), 0, True)])
    assert counts(result) == (1, 1, [])


def test_a_local_of_another_threads_frame_is_said_to_be_out_of_reach():
    assert prove([(0x10, LOCAL, "job", 0x20)], [])["not_cleared"] == [
        "local 'job' of a running frame: its thread is not in the forked child"
    ]


def test_a_context_variable_is_taken_out_of_every_context():
    node = Node()
    address = id(node)
    contexts = [in_a_context(node), in_a_context(node)]
    del node
    holders = [
        obj
        for context in contexts
        for obj in gc.get_referents(context)
        if type(obj).__name__.startswith("hamt")
    ]
    nodes = [*holders, *(inner for obj in holders for inner in gc.get_referents(obj))]
    holding = [obj for obj in nodes if any(id(item) == address for item in gc.get_referents(obj))]
    references = [(id(obj), CONTEXT, "session_of_the_test", address) for obj in holding]
    del holders, nodes, holding
    assert counts(prove(references, [(address, 0, True)])) == (1, 1, [])


def test_a_variable_that_nobody_else_holds_goes_with_its_place_in_the_context():
    # The collector tracks a variable for its default alone.
    variable = contextvars.ContextVar("made_for_the_test", default=Node())  # noqa: B039
    context = contextvars.copy_context()
    context.run(variable.set, Node())
    address = id(variable)
    (trie,) = gc.get_referents(context)
    nodes = [obj for obj in gc.get_referrers(variable) if type(obj).__name__.startswith("hamt")]
    references = [(id(node), KEY, variable.name, address) for node in nodes]
    del variable, nodes, trie
    assert references
    assert counts(prove(references, [(address, 0, True)])) == (1, 1, [])
    context.run(int)


def test_the_handler_of_a_signal_and_exit_callbacks_are_taken_back():
    handler, at_exit = Callable(), Callable()
    addresses = [id(handler), id(at_exit)]
    earlier = signal.signal(signal.SIGUSR2, handler)
    atexit.register(at_exit)
    try:
        del handler, at_exit
        result = prove(
            [(0, ROOT, "signal handler SIGUSR2", 0), (0, ROOT, "atexit callbacks", 0)],
            [(address, 0, True) for address in addresses],
        )
    finally:
        signal.signal(signal.SIGUSR2, earlier)
    assert counts(result) == (2, 2, [])


def test_a_root_that_no_program_can_clear_is_said():
    assert prove([(0, ROOT, "interpreter state", 0)], [])["not_cleared"] == [
        "interpreter state is held by the interpreter itself"
    ]


class Waits:
    """Its finalizer waits for a thread, which a forked process does not have."""

    def __init__(self):
        self.stop, self.done = threading.Event(), threading.Event()
        threading.Thread(target=self.work, args=(self.stop, self.done), daemon=True).start()

    @staticmethod
    def work(stop, done):
        stop.wait()
        done.set()

    def __del__(self):
        self.stop.set()
        self.done.wait()


def test_a_proof_ends_though_a_finalizer_waits_for_a_thread():
    waits = Waits()
    address, holder = id(waits), [waits]
    del waits
    result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)], idle_seconds=1.0)
    assert result == {"failed": "freeing it waits for a thread, which the forked child does not have"}


def test_a_proof_ends_though_asyncio_keeps_what_it_has_freed():
    async def wait() -> None:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future

    asyncio.run(wait())
    node = Node()
    address, holder = id(node), [node]
    del node
    result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)], longest_seconds=20.0)
    assert counts(result) == (1, 1, [])


def test_a_proof_that_never_ends_is_ended():
    class Spins:
        def __del__(self):
            while os.getpid() != parent:
                pass

    parent = os.getpid()
    spins = Spins()
    address, holder = id(spins), [spins]
    del spins
    result = prove([(id(holder), INDEX, "0", address)], [(address, 0, True)], longest_seconds=2.0)
    assert result == {"failed": "freeing it was not over after 2 s"}


def test_waiting_for_a_proof_can_be_interrupted_and_leaves_no_process_behind():
    waits = Waits()
    address, holder = id(waits), [waits]
    del waits
    timer = threading.Timer(0.5, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        prove([(id(holder), INDEX, "0", address)], [(address, 0, True)], idle_seconds=60.0)
    timer.join()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
