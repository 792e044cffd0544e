"""Entry of the observed process: `python driver.py CONFIG`, started by path under any CPython 3.11-3.15.

CONFIG is one JSON object (see `capture.launch`). leakscan is loaded from the paths it names, not from
sys.path, so the target's environment needs nothing of ours and sees nothing of ours.
"""

import importlib.machinery
import importlib.util
import json
import sys
import types


def load_leakscan(package_dir: str, native_path: str) -> None:
    """Make `leakscan` and `leakscan._native` importable without touching sys.path."""
    spec = importlib.util.spec_from_file_location(
        "leakscan", package_dir + "/__init__.py", submodule_search_locations=[package_dir]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["leakscan"] = package
    spec.loader.exec_module(package)
    if native_path:
        loader = importlib.machinery.ExtensionFileLoader("leakscan._native", native_path)
        native_spec = importlib.util.spec_from_file_location("leakscan._native", native_path, loader=loader)
        assert native_spec is not None
        native = importlib.util.module_from_spec(native_spec)
        sys.modules["leakscan._native"] = native
        loader.exec_module(native)
        package._native = native  # type: ignore[attr-defined]  # as an import statement would bind it


def hide_driver() -> None:
    """Give the target an empty `__main__`: this file is not its program.

    A target that starts processes by `spawn` would otherwise run this driver again in each.
    """
    own = sys.modules["__main__"]
    own.__name__ = "leakscan.record.driver"
    sys.modules["leakscan.record.driver"] = own
    main = types.ModuleType("__main__")
    main.__builtins__ = own.__builtins__  # type: ignore[attr-defined]  # every __main__ has it
    sys.modules["__main__"] = main


def main() -> int:
    config = json.loads(sys.argv[1])
    # The interpreter put this file's folder first: `import snapshot` must not find ours.
    del sys.path[0]
    del sys.argv[1:]
    load_leakscan(config["package_dir"], config["native_path"])
    hide_driver()
    from leakscan.record.driving import run_session

    return run_session(config)


if __name__ == "__main__":
    sys.exit(main())
