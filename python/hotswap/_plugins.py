"""Plugins for frameworks that keep what a definition registered: found, loaded and called around each update.

A plugin is a class, named by an entry point in the group `hotswap.plugins` whose name is the framework's
import name. One object of it is made per update:

    class Plugin:
        def begin(self) -> None: ...           # before the statements of the update run, in the same thread
        def end(self, report) -> notes: ...    # afterwards; `report` is the engine's, as plain dicts, or None

A class attribute `owns` may name the packages whose objects the engine leaves to the plugin; it is the
framework's own package where there is none.

`end` puts back what statements of rejected files registered (of all of them if `report` is None), and
withdraws what the old run of a definition had registered. The strings it returns become notes of the report.
"""

from __future__ import annotations

import _thread
import os
import sys

from hotswap._logging import apply_logger

GROUP = "hotswap.plugins"
BUILT_IN = {
    "atexit": "hotswap.integrations.standard_library:AtexitPlugin",
    "attr": "hotswap.integrations.attrs:AttrsPlugin",
    "click": "hotswap.integrations.click:ClickPlugin",
    "flask": "hotswap.integrations.flask:FlaskPlugin",
    "logging": "hotswap.integrations.standard_library:LoggingPlugin",
    "prometheus_client": "hotswap.integrations.prometheus_client:PrometheusPlugin",
    "pydantic": "hotswap.integrations.pydantic:PydanticPlugin",
    "pytest": "hotswap.integrations.pytest:PytestPlugin",
    "signal": "hotswap.integrations.standard_library:SignalPlugin",
    "sqlalchemy": "hotswap.integrations.sqlalchemy:SqlalchemyPlugin",
    "starlette": "hotswap.integrations.starlette:StarlettePlugin",
    "typer": "hotswap.integrations.typer:TyperPlugin",
}
"""Those that come with hotswap; they need no metadata, which an embedded or copied package may lack."""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    class Plugin(Protocol):
        """What stands between an update and a framework."""

        def begin(self) -> None:
            """The statements of an update are about to run in this thread."""

        def end(self, report: dict[str, Any] | None) -> Iterable[str] | None:
            """The update is over; None: nothing was committed."""


_lock = _thread.allocate_lock()
_loading = _thread.allocate_lock()
"""Held while plugins are imported: an update in another thread waits until they are there."""
_waiting: dict[str, str] | None = None
"""Import name of a framework that was not seen yet, and where its plugin is. None: not looked up yet."""
_loaded: list[Callable[[], Plugin]] = []
_owned: list[str] = ["hotswap"]
_updating: set[int] = set()
_diffs: dict[int, Callable[[], str]] = {}
_shared: dict[int, dict[str, Any]] = {}


def after_fork_in_child() -> None:
    """Forget the updates that other threads of the parent were running."""
    global _lock, _loading
    _lock = _thread.allocate_lock()
    _loading = _thread.allocate_lock()
    _updating.clear()
    _diffs.clear()
    _shared.clear()


def discover() -> None:
    """Look up the plugins that are installed, once. Nothing of them is imported."""
    global _waiting
    with _lock:
        if _waiting is None:
            _waiting = {**BUILT_IN, **_installed()}


def load() -> None:
    """Load the plugins of frameworks that are there."""
    if _waiting is None:
        discover()
    with _loading:
        for name in tuple(_waiting or ()):
            if name in sys.modules:
                _load_all()
                break


def run_update(work: Callable[[], Any], diff: Callable[[int, int], str] | None = None) -> Any:
    """Do `work`, which runs an update, between `begin` and `end` of each plugin whose framework is there.

    `diff` gives the difference between the sources of two generations.
    """
    thread = _thread.get_ident()
    if thread in _updating:  # called by a statement of an update; the engine turns it away
        return work()
    plugins = _begin()
    if not plugins:
        return work()
    value = None
    _updating.add(thread)
    try:
        value = work()
    finally:
        # What `end` does to the framework is not a statement of the update.
        _updating.discard(thread)
        if diff is not None and value is not None:
            generation = value.get("generation", 0)
            _diffs[thread] = lambda: diff(generation - 1, generation) if generation else ""
        _shared[thread] = {}
        notes = [note for plugin in reversed(plugins) for note in _end(plugin, value)]
        _shared.pop(thread, None)
        _diffs.pop(thread, None)
    if notes and value is not None:
        value.setdefault("notes", []).extend(notes)
    return value


def updating() -> bool:
    """Whether this thread is running the statements of an update."""
    return _thread.get_ident() in _updating


def owned_packages() -> list[str]:
    """The packages whose registries the loaded plugins look after; the engine leaves them alone."""
    return _owned


def update_diff() -> str:
    """What the update that this thread has just run changed in the sources, as a unified diff; for `end`."""
    diff = _diffs.get(_thread.get_ident())
    return "" if diff is None else diff()


def shared() -> dict[str, Any]:
    """What the plugins of the update that is ending in this thread have found out, for the others."""
    return _shared.get(_thread.get_ident(), {})


def statement_file() -> str | None:
    """The file whose statement this thread is running for the update; None if it is nobody's."""
    frame = sys._getframe(1)
    file = None
    while frame is not None and frame.f_code is not run_update.__code__:
        if frame.f_code.co_name == "<module>":
            # The outermost: a statement of the update may import other modules.
            file = frame.f_code.co_filename
        frame = frame.f_back  # type: ignore[assignment]
    return file


def _begin() -> list[Plugin]:
    load()
    begun = []
    for make in _loaded:
        try:
            plugin = make()
            plugin.begin()
        except Exception:
            apply_logger.exception("the plugin %r failed before an update", make)
        else:
            begun.append(plugin)
    return begun


def _end(plugin: Plugin, report: dict[str, Any] | None) -> list[str]:
    try:
        return list(plugin.end(report) or ())
    except Exception:
        apply_logger.exception("the plugin %r failed after an update", type(plugin))
        return []


def _load_all() -> None:
    assert _waiting is not None
    with _lock:
        due = [name for name in _waiting if _is_imported(name)]
        places = [(name, _waiting.pop(name)) for name in due]
    for name, place in places:
        module, _, attribute = place.partition(":")
        try:
            from importlib import import_module

            make = getattr(import_module(module), attribute)
        except Exception:
            apply_logger.exception("the plugin %s cannot be loaded", place)
        else:
            _loaded.append(make)
            _owned.extend(getattr(make, "owns", (name,)))


def _is_imported(name: str) -> bool:
    module = sys.modules.get(name)
    # An update waits for no import that is under way in another thread; the next one sees it.
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _installed() -> dict[str, str]:
    """The entry points of the group, by name, of distributions in plain folders.

    `importlib.metadata` would find them too, at the cost of a hundred milliseconds for its import alone.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                found.update(_entries(os.path.join(folder, name, "entry_points.txt")))
    return found


def _entries(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return {}
    if GROUP not in text:
        return {}
    entries = {}
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, place = line.partition("=")
            entries[name.strip()] = place.partition("[")[0].strip().replace(" ", "")
    return entries
