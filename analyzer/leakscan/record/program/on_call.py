"""Count the calls of a function: each of its returns is the end of a run.

A function is wrapped where it is defined, below its other decorators, so that what registers it (a route, a
task of a queue) gets the wrapper. For that its module's source is compiled with one more decorator; a module
without source, or a name that no `def` in it makes, gets the wrapper after its import.
"""

from __future__ import annotations

import _frozen_importlib_external as external
import builtins
import functools
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from leakscan.record.program.claims import rounds

if TYPE_CHECKING:
    import ast
    from importlib.machinery import SourceFileLoader
else:
    SourceFileLoader = external.SourceFileLoader

# Any in this file: functions of the program, with whatever they take and give.

DECORATOR: Final = "__leakscan_run__"
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
"""CO_ flags of code objects."""


def count_calls(names: Sequence[str]) -> None:
    """Each is `package.module:function` or `package.module:Class.method`."""
    wanted: dict[str, list[str]] = {}
    for name in names:
        module, _, attribute = name.partition(":")
        wanted.setdefault(module, []).append(attribute)
    setattr(builtins, DECORATOR, counted)
    script = _script()
    of_script = wanted.pop("__main__", [])
    if script:
        of_script += wanted.get(os.path.splitext(os.path.basename(script))[0], [])
    if of_script:
        sys.path_hooks.insert(0, functools.partial(_ScriptFinder, script, of_script))
    for module in wanted.keys() & sys.modules.keys():
        # Python itself, or leakscan, has imported it before the program.
        _wrap_attributes(sys.modules[module], wanted.pop(module))
    sys.meta_path.insert(0, _Finder(wanted))


def counted(function: Any) -> Any:
    """The function, with a run's end at each of its returns."""
    # A script that was loaded by way of us is still a script: multiprocessing looks at this.
    main = sys.modules.get("__main__")
    if main is not None and isinstance(
        getattr(getattr(main, "__spec__", None), "loader", None), _ScriptLoader
    ):
        main.__spec__ = None
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(counted(function.__func__))
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & _ASYNC_GENERATOR:
        return _async_generator(function)
    if flags & _COROUTINE:
        return _coroutine(function)
    if flags & _GENERATOR:
        return _generator(function)
    return _plain(function)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            del args, kwargs
            rounds().done(is_next_begun=True)

    return call


def _generator(function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        try:
            return (yield from function(*args, **kwargs))
        finally:
            del args, kwargs
            rounds().done(is_next_begun=True)

    return call


def _coroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        finally:
            del args, kwargs
            rounds().done(is_next_begun=True)

    return call


def _async_generator(function: Callable[..., AsyncGenerator[Any, Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        del args, kwargs
        try:
            item = await anext(generator)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as error:
                    item = await generator.athrow(error)
                else:
                    item = await generator.asend(sent)
        except StopAsyncIteration:
            pass
        finally:
            await generator.aclose()
            del generator
            rounds().done(is_next_begun=True)

    return call


class _Finder:
    """First on `sys.meta_path`: finds the modules whose functions are counted as the others would."""

    def __init__(self, wanted: dict[str, list[str]]) -> None:
        self._wanted = wanted

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        names = self._wanted.get(name)
        if names is None:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                spec.loader = _loader_of(spec, names)
                return spec
        return None


def _loader_of(spec: ModuleSpec, names: list[str]) -> Any:
    if type(spec.loader).__name__ == "SourceFileLoader" and spec.origin:
        return _SourceLoader(spec.name, spec.origin, names)
    return _LateLoader(spec.loader, names)


class _SourceLoader(SourceFileLoader):
    """Compiles the source with the decorator, and keeps no bytecode of that."""

    def __init__(self, name: str, path: str, names: list[str]) -> None:
        super().__init__(name, path)
        self._names = names
        self._late: list[str] = []

    def get_code(self, fullname: str) -> CodeType:
        code, self._late = _decorated(self.get_data(self.path), self.path, self._names)
        return code

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _wrap_attributes(module, self._late)


class _LateLoader:
    """Anything else that loads modules: wraps what is there after the import."""

    def __init__(self, loader: Any, names: list[str]) -> None:
        self._loader = loader
        self._names = names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _wrap_attributes(module, self._names)


def _script() -> str:
    """The file that `python FILE ...` runs, "" for anything else."""
    words = iter(sys.orig_argv[1:])
    for word in words:
        if word in ("-c", "-m", "-"):
            return ""
        if word in ("-X", "-W", "--check-hash-based-pycs"):
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def _ScriptFinder(script: str, names: list[str], path: str) -> Any:
    """Python asks whoever can import from a script's path to run it; here: from this one file."""
    if os.path.abspath(path) != os.path.abspath(script) or not os.path.isfile(path):
        raise ImportError
    return _ScriptImporter(path, names)


class _ScriptImporter:
    def __init__(self, path: str, names: list[str]) -> None:
        self._path = path
        self._names = names

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "__main__":
            return None
        # Python took the file for a folder of modules.
        sys.path[0] = os.path.dirname(os.path.realpath(self._path))
        loader = _ScriptLoader(name, self._path, self._names)
        return external.spec_from_file_location(name, self._path, loader=loader)


class _ScriptLoader(_SourceLoader):
    pass


def _decorated(source: bytes, path: str, names: Sequence[str]) -> tuple[CodeType, list[str]]:
    """The module's code with the decorator on these functions, and the names that no `def` in it makes."""
    import ast

    tree = ast.parse(source, path)
    found = dict(_definitions(tree, ""))
    for name in names:
        for function in found.get(name, ()):
            mark = ast.Name(DECORATOR, ast.Load())
            # The line of the def stays that of the function.
            function.decorator_list.append(ast.copy_location(mark, function))
            mark.end_lineno, mark.end_col_offset = mark.lineno, mark.col_offset
    return compile(tree, path, "exec", dont_inherit=True), [name for name in names if name not in found]


def _definitions(
    tree: ast.AST, prefix: str
) -> Iterator[tuple[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]]:
    import ast

    found: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    waiting = [(tree, prefix)]
    while waiting:
        node, within = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.setdefault(within + child.name, []).append(child)
            elif isinstance(child, ast.ClassDef):
                waiting.append((child, f"{within}{child.name}."))
            elif isinstance(child, (ast.stmt, ast.excepthandler)):
                waiting.append((child, within))
    yield from found.items()


def _wrap_attributes(module: ModuleType, names: Sequence[str]) -> None:
    for name in names:
        owner: Any = module
        *path, last = name.split(".")
        try:
            for each in path:
                owner = _part(owner, each)
            _part(owner, last)
            raw = vars(owner).get(last) if isinstance(owner, type) else None
            setattr(owner, last, counted(getattr(owner, last) if raw is None else raw))
        except (AttributeError, TypeError) as error:
            print(f"leakscan: --on-call {module.__name__}:{name}: {error}", file=sys.stderr)


def _part(owner: Any, name: str) -> Any:
    """An attribute; AttributeError says what is near it."""
    missing = object()
    found = getattr(owner, name, missing)
    if found is missing:
        import difflib

        near = difflib.get_close_matches(name, dir(owner), n=1)
        raise AttributeError(
            f"{owner.__name__} has no {name}" + (f"; did you mean {near[0]}?" if near else "")
        )
    return found
