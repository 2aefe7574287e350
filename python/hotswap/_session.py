"""The public calls: `watch` and what can be done with what it returns."""

from __future__ import annotations

import os
import stat

from hotswap import _loop
from hotswap._config import Options, enabled, resolve
from hotswap._errors import NotWatchingError, WatchError
from hotswap._logging import watch_logger
from hotswap._loop import UpdateLoop
from hotswap._report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Any, Literal, TypeVar

    from hotswap._config import StrPath

    Callback = TypeVar("Callback", bound=Callable[..., object])

    Strategy = Literal["patch", "reload"]
    Apply = Literal["immediate", "checkpoint"]
    Consistency = Literal["auto", "immediate", "quiescent"]

_OFF = "hotswap is turned off by HOTSWAP=0"
_sessions: list[Session] = []


class Session:
    """What `watch` returns. All sessions of a process share one engine, which ends with the last of them.

    Also a context manager, which stops the session at its end.
    """

    def __init__(
        self,
        loop: UpdateLoop | None,
        on_update: Callable[[Report], object] | None = None,
        paths: tuple[str, ...] | None = None,
    ) -> None:
        # None: hotswap is turned off, and every method does nothing.
        self._loop = loop
        self._paths = paths
        self._on_update = on_update
        if loop is not None and on_update is not None:
            loop.on_update.append(on_update)

    @property
    def history(self) -> list[Report]:
        """The reports of applied, rejected and held updates, newest last; bounded (setting `history`)."""
        return [] if self._loop is None else list(self._loop.history)

    @property
    def generation(self) -> int:
        """The number of updates committed so far."""
        return 0 if self._loop is None else self._loop.generation

    @property
    def stopped(self) -> bool:
        """Whether this session was stopped."""
        return self._loop is not None and self not in _sessions

    def sync(self, timeout: float | None = None) -> Report:
        """Apply everything that differs on disk now, in this thread, also while paused.

        Returns when every group is committed or rejected. `timeout`, in seconds, bounds only the wait
        for what the background thread has in hand. The report includes what was applied in the
        background since the last sync.
        """
        return _turned_off() if self._loop is None else self._watching().sync(timeout)

    def checkpoint(self) -> Report | None:
        """Apply what has been waiting, with `apply="checkpoint"`. Costs next to nothing if nothing has."""
        return None if self._loop is None or self.stopped else self._loop.checkpoint()

    def rollback(self, generation: int) -> Report:
        """Run the code of an earlier generation, with the state of now; a generation of its own.

        Nothing is written to disk. What the disk holds is pinned: it is not applied until it changes, and
        `status()["pinned"]` names the files. What a removed statement had made comes back with it, as
        long as it is remembered. Raises `RollbackError` for a generation that is not kept any more.
        """
        return _turned_off() if self._loop is None else self._watching().rollback(generation)

    def diff(self, a: int | None = None, b: int | None = None) -> str:
        """The unified diff of the sources from generation `a` to `b`; by default the last update's."""
        if self._loop is None:
            return ""
        loop = self._watching()
        b = loop.generation if b is None else b
        return loop.diff(max(b - 1, loop.oldest) if a is None else a, b)

    def pause(self) -> None:
        """No background updates until `resume`; `sync` still applies."""
        if self._loop is not None:
            self._watching().pause(self)

    def resume(self) -> None:
        """Background updates again, unless another session has paused them too."""
        if self._loop is None:
            return
        self._loop.resume(self)

    def status(self) -> dict[str, Any]:
        """What is watched and how, the generation, what is pending, and which modules are not covered."""
        if self._loop is None:
            return {"enabled": False, "generation": 0}
        return {"enabled": True, **self._watching().status()}

    def stop(self) -> None:
        """Watch no more. The code that runs stays as it is. Idempotent."""
        if self._loop is None:
            return
        with _loop.process_lock:
            if self not in _sessions:
                return
            _sessions.remove(self)
            last = not _sessions
            if self._on_update is not None:
                self._loop.on_update.remove(self._on_update)
            if last:
                _loop.current = None
        if last:
            self._loop.stop()
        else:
            self._loop.resume(self)

    def _watching(self) -> UpdateLoop:
        if self._loop is None or self.stopped:
            raise NotWatchingError("this session was stopped; call hotswap.watch() for a new one")
        return self._loop

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        if self._loop is None:
            return "<hotswap.Session off>"
        if self.stopped:
            return "<hotswap.Session stopped>"
        paths = self._loop.options.paths
        where = "every imported module" if paths is None else ", ".join(paths)
        return f"<hotswap.Session generation {self.generation} of {where}>"


def watch(
    *paths: StrPath,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    poll: Literal["auto"] | bool | float | None = None,
    strategy: Strategy | None = None,
    apply: Apply | None = None,
    consistency: Consistency | None = None,
    quiescence_timeout: float | None = None,
    on_update: Callable[[Report], object] | None = None,
) -> Session:
    """Apply edits of these files and directories to the running process, from now on.

    Without paths: every imported module but the standard library, and those imported later. With
    paths: the modules below them, whose sources are read before this returns.

    An argument left out takes its value from `HOTSWAP_*` variables, else from `[tool.hotswap]` of the
    nearest pyproject.toml, else: `poll="auto"`, `strategy="patch"`, `apply="immediate"`,
    `consistency="auto"`, `quiescence_timeout=1.0` (seconds). `on_update` is called with each report,
    in the thread that applied it; what it raises is logged.

    A process has one engine. A second `watch` adds its paths to the first one's, whose other settings hold.
    """
    arguments = {
        "include": include,
        "exclude": exclude,
        "poll": poll,
        "strategy": strategy,
        "apply": apply,
        "consistency": consistency,
        "quiescence_timeout": quiescence_timeout,
    }
    if not enabled():
        return Session(None)
    options = resolve(paths, arguments)
    warn_of_paths_without_sources(options)
    return open_session(options, on_update)


def open_session(options: Options, on_update: Callable[[Report], object] | None = None) -> Session:
    """A session with these settings, on the engine of this process."""
    for path in options.paths or ():
        if not os.path.exists(path):
            raise WatchError(f"no such path: {path}")
        if not options.allow_world_writable:
            _refuse_what_everybody_writes(path)
    _loop.require_native()
    with _loop.process_lock:
        if _loop.current is None:
            loop = UpdateLoop(options)
            loop.start()
            _loop.current = loop
        else:
            loop = _loop.current
            _warn_of_differences(loop.options, options)
            loop.widen(options, [session._paths for session in _sessions])
        session = Session(loop, on_update, options.paths)
        _sessions.append(session)
    return session


def sync(timeout: float | None = None) -> Report:
    """Apply everything that differs on disk now, in this thread; see `Session.sync`."""
    if not enabled():
        return _turned_off()
    loop = _loop.current
    if loop is None:
        raise NotWatchingError("nothing is watched; call hotswap.watch() first")
    return loop.sync(timeout)


def checkpoint() -> Report | None:
    """The program's safe point: apply what has been waiting, with `apply="checkpoint"`.

    Harmless, and next to free, where nothing is watched or nothing waits.
    """
    loop = _loop.current
    return None if loop is None else loop.checkpoint()


def stop() -> None:
    """Stop every session of this process. Idempotent."""
    for session in tuple(_sessions):
        session.stop()


def before_update(callback: Callback) -> Callback:
    """Call this, without arguments, before each update, in the thread that applies it. Also a decorator."""
    _loop.before_callbacks.append(callback)
    return callback


def after_update(callback: Callback) -> Callback:
    """Call this with the report after each update, applied or not. Also a decorator.

    Every call of the `before_update` callbacks is followed by one of these, also when in the end
    there was nothing to do; the report's status is then `unchanged`.
    """
    _loop.after_callbacks.append(callback)
    return callback


def warn_of_paths_without_sources(options: Options) -> None:
    """Say so where nothing can be reloaded, which is seldom what was meant."""
    for path in options.paths or ():
        if os.path.isfile(path):
            if not path.endswith((".py", ".pyw")):
                watch_logger.warning("%s is not a Python source file", path)
        elif os.path.isdir(path) and not _has_python_files(path):
            watch_logger.warning("there are no Python files below %s yet", path)


def _refuse_what_everybody_writes(path: str) -> None:
    """Whoever can write the sources runs code in this process: with root's rights, if it has them."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    if os.stat(path).st_mode & stat.S_IWOTH:
        raise WatchError(
            f"{path} can be written by every user, and this process runs as root: others could have it run "
            "their code. Take that permission away (chmod o-w), run as another user, "
            "or set allow_world_writable = true (HOTSWAP_ALLOW_WORLD_WRITABLE=1)"
        )


def _turned_off() -> Report:
    return Report(notes=(_OFF,))


def _has_python_files(folder: str) -> bool:
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        if any(name.endswith((".py", ".pyw")) for name in names):
            return True
    return False


def _warn_of_differences(old: Options, new: Options) -> None:
    for name, kept in vars(old).items():
        wanted = getattr(new, name)
        if name != "paths" and kept != wanted:
            watch_logger.warning(
                "already watching with %s=%r, which stays; %r was asked for", name, kept, wanted
            )
