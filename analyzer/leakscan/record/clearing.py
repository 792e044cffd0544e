"""How each kind of reference is taken out of a living process: in a forked child only, see `cutting`.

What a cut names is cleared as the program itself could: an entry deleted, an attribute set to None, a
callback taken back. Only what nothing in Python can reach raises TypeError.
"""

from __future__ import annotations

import atexit
import collections
import contextvars
import functools
import gc
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

# Kinds of reference (docs/format.md): `heap.kinds` is not loaded in the observed process.
ATTRIBUTE, SLOT, KEY_STR, KEY_INT, KEY_OTHER, KEY, INDEX, MEMBER, DICT = 1, 2, 3, 4, 5, 6, 7, 8, 9
UNNAMED = 0
LOCAL, STACK, AWAIT, TYPE, CONTEXT = 10, 11, 12, 13, 15
_TRIE: Final = "hamt"
"""How the types of the nodes begin in which contexts keep their variables."""
ROOT: Final = 255
"""Not of the file: a root is cleared, by its label."""

# Any in this file: objects of the target.


def clear(holder: Any, kind: int, label: str, target: int) -> None:
    """Remove the reference of this kind and label from `holder` to the object at `target`.

    TypeError: nothing outside can. What the holder's own code raises passes through.
    """
    clearer = _CLEARERS.get(kind)
    if clearer is None or not clearer(holder, label, target):
        raise TypeError(f"nothing outside can clear this reference (kind {kind} {label!r})")


def clear_root(label: str) -> bool:
    """Empty what a root of the interpreter holds, as far as Python can; whether it could."""
    if label == "atexit callbacks":
        atexit._clear()
        return True
    if label.startswith("signal handler "):
        signal.signal(_signal_number(label.rpartition(" ")[2]), signal.SIG_DFL)
        return True
    emptied: dict[str, Callable[[], Any]] = {
        "gc.callbacks": gc.callbacks.clear,
        "gc.garbage": gc.garbage.clear,
        "profile function": lambda: sys.setprofile(None),
        "trace function": lambda: sys.settrace(None),
        "async generator hooks": lambda: sys.set_asyncgen_hooks(None, None),
        "sys.modules": sys.modules.clear,
    }
    if label in emptied:
        emptied[label]()
        return True
    return False


def clear_running(label: str, target: int) -> bool:
    """Set the local of a frame of this thread that holds this object to None; whether there was one."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        if label in frame.f_code.co_varnames and id(frame.f_locals.get(label)) == target:
            _set_local(frame, label)
            return True
        frame = frame.f_back
    return False


def _signal_number(name: str) -> int:
    return int(name) if name.isdigit() else int(signal.Signals[name])


def _entry(holder: Any, label: str, target: int, *, at: int = 1, by_label: bool = True) -> bool:
    if isinstance(holder, functools._lru_cache_wrapper):
        holder.cache_clear()
        return True
    if not issubclass(type(holder), dict):
        return _named(holder, label, target)
    owner = _class_with(holder)
    base: Any = collections.OrderedDict if issubclass(type(holder), collections.OrderedDict) else dict
    # A thread may have given the key another value since, and another key what lies at the old address: the
    # cut is about what lies there.
    called = _called(holder, base, label) if by_label else []
    for entry in called or [entry for entry in base.items(holder) if id(entry[at]) == target]:
        if owner is not None:
            # The namespace of a class is behind its cache of attributes.
            type.__delattr__(owner, entry[0])
            continue
        try:
            base.__delitem__(holder, entry[0])
        except Exception:  # a key whose hash changes, or refuses
            _refill(holder, base, entry)
    return True


def _called(holder: Any, base: Any, label: str) -> list[tuple[Any, Any]]:
    """The entry under the text or the number that the label is, if there is one alone."""
    keys: list[Any] = [label, *([int(label)] if label.lstrip("-").isdecimal() else [])]
    try:
        found = [key for key in keys if base.__contains__(holder, key)]
        return [(found[0], base.__getitem__(holder, found[0]))] if len(found) == 1 else []
    except Exception:  # a key beside it that refuses to be compared
        return []


def _refill(holder: Any, base: Any, without: tuple[Any, Any]) -> None:
    kept = [entry for entry in base.items(holder) if entry[0] is not without[0]]
    base.clear(holder)
    for key, value in kept:
        base.__setitem__(holder, key, value)


def _class_with(namespace: Any) -> type | None:
    """The class whose namespace this dict is."""
    if "__module__" not in namespace or "__doc__" not in namespace:
        return None
    return next((owner for owner in gc.get_referrers(namespace) if _is_namespace(namespace, owner)), None)


def _is_namespace(namespace: Any, owner: Any) -> bool:
    return isinstance(owner, type) and list(namespace) == list(owner.__dict__)


def _key(holder: Any, label: str, target: int) -> bool:
    if type(holder).__name__.startswith(_TRIE):
        return _context(holder, label, target)
    return _entry(holder, label, target, at=0, by_label=False)


def _other_key(holder: Any, label: str, target: int) -> bool:
    return _entry(holder, label, target, by_label=False)


def _index(holder: Any, label: str, target: int) -> bool:
    kind = type(holder)
    if holder is gc.callbacks:
        # None in it would be called.
        holder[:] = [callback for callback in holder if id(callback) != target]
        return True
    for base in (list, collections.deque):
        if issubclass(kind, base):
            mutable: Any = base
            items = mutable.__iter__(holder)
            for index in [index for index, item in enumerate(items) if id(item) == target]:
                mutable.__setitem__(holder, index, None)
            return True
    if kind.__name__ == "ndarray":
        holder.flat[int(label)] = None
        return True
    if kind.__name__ == "SimpleQueue":
        return _drained(holder, target)
    return issubclass(kind, tuple) and _defaults(holder)


def _drained(queue: Any, target: int) -> bool:
    kept = []
    while not queue.empty():
        kept.append(queue.get_nowait())
    for item in kept:
        if id(item) != target:
            queue.put(item)
    return True


def _defaults(items: tuple[Any, ...]) -> bool:
    """Forget the default arguments of the functions that have this tuple of them."""
    functions = [
        owner
        for owner in gc.get_referrers(items)
        if isinstance(owner, types.FunctionType) and owner.__defaults__ is items
    ]
    for function in functions:
        function.__defaults__ = None
    return bool(functions)


def _member(holder: Any, label: str, target: int) -> bool:
    if not issubclass(type(holder), set):
        return False
    for member in [member for member in set.__iter__(holder) if id(member) == target]:
        try:
            set.discard(holder, member)
            is_gone = all(item is not member for item in set.__iter__(holder))
        except Exception:  # its hash refuses
            is_gone = False
        if not is_gone:
            kept = [item for item in set.__iter__(holder) if item is not member]
            set.clear(holder)
            set.update(holder, kept)
    return True


def _slot(holder: Any, label: str, target: int) -> bool:
    if isinstance(holder, types.CellType):
        holder.cell_contents = None
        return True
    if label == "_callbacks" and hasattr(holder, "remove_done_callback"):
        for callback in [entry[0] for entry in holder._callbacks or ()]:
            if target in (id(callback), id(holder._callbacks)):
                holder.remove_done_callback(callback)
        return True
    if isinstance(holder, functools.partial):
        holder.__setstate__((print, (), {}, None))  # type: ignore[attr-defined]  # for pickle
        return True
    if isinstance(holder, _SUSPENDED):
        return _local(holder, label, target)
    if type(holder).__name__ == "SimpleQueue":
        return _drained(holder, target)
    return _named(holder, label, target)


def _named(holder: Any, label: str, target: int) -> bool:
    """Attributes, wherever they are kept; past what the class says of setting them."""
    if isinstance(holder, type):
        type.__setattr__(holder, label, None)
        return True
    attributes = getattr(holder, "__dict__", None)
    if isinstance(attributes, dict) and id(attributes.get(label)) == target:
        dict.__setitem__(attributes, label, None)
        return True
    for owner in type(holder).__mro__:
        member = owner.__dict__.get(label)
        if isinstance(member, types.MemberDescriptorType) and id(_value(member, holder)) == target:
            member.__set__(holder, None)
            return True
    object.__setattr__(holder, label, None)
    return True


def _value(member: types.MemberDescriptorType, holder: Any) -> Any:
    try:
        return member.__get__(holder)
    except AttributeError:
        return None


def _unnamed(holder: Any, label: str, target: int) -> bool:
    """What C types keep in tables of their own, as far as they have a method for it."""
    kind = f"{type(holder).__module__}.{type(holder).__qualname__}"
    if kind == "xml.etree.ElementTree.Element":
        found = [child for child in holder if id(child) == target]
        for child in found:
            holder.remove(child)
        return bool(found)
    if kind == "_pickle.Pickler":
        holder.clear_memo()
        return True
    return False


def _attributes(holder: Any, label: str, target: int) -> bool:
    holder.__dict__.clear()
    return True


def _class(holder: Any, label: str, target: int) -> bool:
    """Give an object whose class was assigned the oldest class that it can have."""
    kind = type(holder)
    if id(kind) != target:
        return False
    for older in reversed(kind.__mro__[1:]):
        try:
            holder.__class__ = older
        except TypeError:  # of another layout, or of C
            continue
        return True
    return False


def _local(holder: Any, label: str, target: int) -> bool:
    """A local of a suspended generator or coroutine, or of a frame that was kept."""
    frame = holder if isinstance(holder, types.FrameType) else _frame_of(holder)
    if frame is None or label not in (*frame.f_code.co_varnames, *frame.f_code.co_cellvars, *_free(frame)):
        return False
    _set_local(frame, label)
    return True


def _free(frame: types.FrameType) -> tuple[str, ...]:
    return frame.f_code.co_freevars


def _frame_of(suspended: Any) -> types.FrameType | None:
    for name in ("gi_frame", "cr_frame", "ag_frame"):
        if hasattr(suspended, name):
            frame: types.FrameType | None = getattr(suspended, name)
            return frame
    return None


def _set_local(frame: types.FrameType, label: str) -> None:
    values = frame.f_locals
    former = id(values.get(label))
    values[label] = None
    if sys.version_info >= (3, 13):
        _drop_former(frame, former)
    if sys.version_info < (3, 13):
        # There `f_locals` is a copy, which only C writes back.
        import ctypes

        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
        # The dict is kept with the frame and would hold the other values as well.
        values.clear()


def _drop_former(frame: types.FrameType, former: int) -> None:
    """CPython 3.14 and later keep what a local was in a tuple of the frame, as long as the frame lives."""
    import ctypes

    # By address: a tuple with another reference to it is not to be changed.
    for address, at in _kept_in_tuples(frame, former):
        ctypes.pythonapi.PyTuple_SetItem(
            ctypes.c_void_p(address), ctypes.c_ssize_t(at), ctypes.py_object(None)
        )


def _kept_in_tuples(frame: types.FrameType, former: int) -> list[tuple[int, int]]:
    own = {id(value) for value in frame.f_locals.values()}
    return [
        (id(found), at)
        for found in gc.get_referents(frame)
        if type(found) is tuple and id(found) not in own
        for at, item in enumerate(found)
        if id(item) == former
    ]


def _context(holder: Any, label: str, target: int) -> bool:
    """Take the variable of that name out of every context where it, or its value, is this object."""
    contexts = [obj for obj in gc.get_objects() if type(obj) is contextvars.Context]
    # The collector need not track a variable; the contexts that have it lead to it.
    known = {variable for context in (*contexts, contextvars.copy_context()) for variable in context}
    variables = [variable for variable in known if variable.name == label]
    for variable in variables:
        for run in _runners(contexts):
            if target in (id(run(variable.get, None)), id(variable)):
                run(_forget, variable)
    # What is in none went with its value, or its value with it.
    return bool(variables) or type(holder).__name__.startswith(_TRIE)


def _forget(variable: contextvars.ContextVar[Any]) -> None:
    """As `reset` with the token of the first `set`, which the program alone has, if anybody.

    The experiment's own token would give back the value before: the word of it that says so is found by
    what it holds.
    """
    import ctypes

    former = object()
    variable.set(former)
    token = variable.set(None)
    word = ctypes.sizeof(ctypes.c_void_p)
    for at in range(id(token), id(token) + object.__sizeof__(token), word):
        if ctypes.c_void_p.from_address(at).value == id(former):
            ctypes.c_void_p.from_address(at).value = None
            variable.reset(token)
            return


def _runners(contexts: list[contextvars.Context]) -> Iterator[Callable[..., Any]]:
    yield lambda call, *arguments: call(*arguments)  # the context of this thread
    for context in contexts:
        yield functools.partial(_run_in, context)


def _run_in(context: contextvars.Context, call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return context.run(call, *arguments)
    except RuntimeError:  # it is entered: by this thread, or by one that is not in this process
        return None


_SUSPENDED: Final = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_CLEARERS: Final[dict[int, Callable[[Any, str, int], bool]]] = {
    UNNAMED: _unnamed,
    ATTRIBUTE: _named,
    SLOT: _slot,
    KEY_STR: _entry,
    KEY_INT: _entry,
    KEY_OTHER: _other_key,
    KEY: _key,
    INDEX: _index,
    MEMBER: _member,
    DICT: _attributes,
    LOCAL: _local,
    TYPE: _class,
    CONTEXT: _context,
}
