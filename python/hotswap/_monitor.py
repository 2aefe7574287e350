"""`monitor_dir`, the call of the package module-hot-loading."""

from __future__ import annotations

from hotswap._config import enabled, resolve
from hotswap._logging import watch_logger
from hotswap._session import open_session, warn_of_paths_without_sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading

    from hotswap._config import StrPath

_LOOK_SECONDS = 0.1
"""How often the event is looked at: it can be waited for until it is set, but not until it is cleared."""


def monitor_dir(
    path: StrPath,
    event: threading.Event,
    main_module_path: StrPath,
    interval: float = 2,
    only_import_exist: bool = True,
) -> None:
    """Watch this directory until `event` is cleared; blocks, in any thread.

    `main_module_path` is the program's `__file__`: its functions and classes are updated like any module's,
    and its statements never run again. A change is applied as soon as it is whole, at the latest
    after `interval` seconds. With `only_import_exist=False`, new files are imported at once.

    The strategy is `reload` (a changed module runs once more, definitions keep their identity)
    unless a setting says otherwise.
    """
    if not enabled():
        _wait_until_cleared(event)
        return
    arguments = {"interval": interval, "only_import_exist": only_import_exist}
    options = resolve([path], arguments, defaults={"strategy": "reload"})
    warn_of_paths_without_sources(options)
    with open_session(options):
        watch_logger.info("watching %s", (options.paths or ("",))[0])
        _wait_until_cleared(event)
    watch_logger.info("no longer watching %s", (options.paths or ("",))[0])


def _wait_until_cleared(event: threading.Event) -> None:
    import threading

    pause = threading.Event()
    while event.is_set():
        pause.wait(_LOOK_SECONDS)
