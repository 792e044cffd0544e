"""Objects that raise at every touch, and count the touches."""

from __future__ import annotations

import sys

from ground import FOLDER, watched

touches: list[str] = []


def forbid(name: str):
    def touched(*arguments: object, **options: object) -> object:
        touches.append(name)
        raise RuntimeError(f"{name} was called")

    return touched


SPECIAL = [
    "hash",
    "repr",
    "str",
    "sizeof",
    "eq",
    "ne",
    "lt",
    "bool",
    "len",
    "iter",
    "next",
    "getattr",
    "setattr",
    "delattr",
    "contains",
    "call",
    "index",
    "int",
    "float",
    "bytes",
    "format",
    "dir",
    "reduce",
    "reduce_ex",
    "getstate",
    "copy",
    "deepcopy",
    "enter",
    "exit",
    "await",
    "aiter",
    "anext",
    "missing",
    "reversed",
]
METHODS = {f"__{name}__": forbid(name) for name in SPECIAL}
OPEN = {**METHODS, "__class__": property(forbid("class")), "__dict__": property(forbid("dict"))}

Broken = type("Broken", (), dict(OPEN))


class Meta(type):
    __class__ = property(forbid("metaclass class"))
    __instancecheck__ = forbid("instancecheck")
    __subclasscheck__ = forbid("subclasscheck")
    __subclasshook__ = forbid("subclasshook")
    __name__ = property(forbid("name"))
    __module__ = property(forbid("module"))
    mro_is_ready = False

    def __repr__(cls) -> str:
        touches.append("metaclass repr")
        raise RuntimeError

    def __hash__(cls) -> int:
        if Meta.mro_is_ready:
            touches.append("metaclass hash")
            raise RuntimeError
        return 1

    def __getattribute__(cls, name: str) -> object:
        if Meta.mro_is_ready:
            touches.append(f"metaclass getattribute {name}")
            raise RuntimeError
        return super().__getattribute__(name)


class Proxy(metaclass=Meta):
    def __getattribute__(self, name: str) -> object:
        touches.append(f"getattribute {name}")
        raise RuntimeError


class Descriptor:
    __get__ = forbid("get")
    __set__ = forbid("set")
    __set_name__ = None

    def __init_subclass__(cls) -> None:
        touches.append("init_subclass")


class Odd(dict, metaclass=type("Plain", (type,), {"__repr__": forbid("type repr")})):
    for _name, _method in METHODS.items():
        locals()[_name] = _method
    del _name, _method
    lazy = property(forbid("property"))


class OddText(str):
    __str__ = __repr__ = __eq__ = forbid("text")
    __hash__ = str.__hash__


def build() -> list[object]:
    odd = Odd.__new__(Odd)
    dict.__setitem__(odd, "key", Broken)
    holder = type("Holder", (), {})()
    holder.__dict__[OddText("odd name")] = odd
    kept = [Broken.__new__(Broken) for _ in range(100)]
    kept += [object.__new__(Proxy) for _ in range(100)]
    kept += [odd, holder, OddText("x"), {OddText("\ud800\x1b[31m"): 1}, type("\u202eevil\x07" * 50, (), {})]
    dict.__setitem__(namespace := {}, "x" * 100_000, 2**100_000)
    kept.append(namespace)
    Meta.mro_is_ready = True
    return kept


if __name__ == "__main__":
    kept = watched(build)
    Meta.mro_is_ready = False
    (FOLDER / "touches").write_text("\n".join(touches))
    sys.stdout.write(str(len(kept)))
