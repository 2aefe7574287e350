"""`threading`, imported as if the main thread had done it.

Up to CPython 3.12 whichever thread imports it first is the main thread from then on: `main_thread()` is
wrong, and the end of the interpreter looks at the lock of the wrong thread. In a host whose first thread
never runs Python, in a process that hotswap is brought into, and where a program does without it until an
update imports it, the first may be a thread of hotswap.
"""

from __future__ import annotations

import sys

from hotswap._config import enabled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def import_threading() -> None:
    """Import it, unless somebody has, or this is the main thread, which may do so when it likes."""
    if sys.version_info >= (3, 13) or "threading" in sys.modules or is_main_thread() or not enabled():
        return
    finder = ThreadingFinder()
    sys.meta_path.insert(0, finder)
    try:
        import threading  # noqa: F401
    finally:
        sys.meta_path.remove(finder)


class ThreadingFinder:
    """Finds `threading` where others do, and gives the main thread its due."""

    __slots__ = ()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders find, if it is `threading` and this is not the main thread."""
        if fullname != "threading" or sys.version_info >= (3, 13) or target is not None or is_main_thread():
            return None
        try:
            from hotswap._hotswap import first_thread_ident
        except ImportError:
            # An interpreter with a lock of its own, where `watch` says why, and no thread is the main thread.
            return None
        first = first_thread_ident()
        if first is None:
            return None
        for finder in tuple(sys.meta_path):
            if isinstance(finder, ThreadingFinder) or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    loader: Any = _Loader(spec.loader, first)
                    spec.loader = loader
                return spec
        return None


class _Loader:
    """Runs the module out of sight: the end of the interpreter must not see it half made."""

    def __init__(self, real: Any, first: int) -> None:
        self._real = real
        self._first = first

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._real.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._real
        seen = sys.modules.pop(name, module)
        try:
            self._real.exec_module(module)
            _give_main_thread_to(self._first, module)
        finally:
            sys.modules[name] = seen


def _give_main_thread_to(ident: int, module: Any) -> None:
    """Make the main thread's object that of another thread, where `threading` is made as it is known."""
    import _thread

    # None of this is public.
    if not all(hasattr(module, name) for name in ("main_thread", "_active", "_shutdown_locks")):
        return
    main = module.main_thread()
    if main.ident != _thread.get_ident() or not hasattr(main, "_tstate_lock"):
        return
    # The end of the interpreter waits for the old lock's thread and wants the main thread's to be held.
    lock = _thread.allocate_lock()
    lock.acquire()
    with module._active_limbo_lock:
        module._active.pop(main._ident, None)
        module._shutdown_locks.discard(main._tstate_lock)
        module._shutdown_locks.add(lock)
        main._tstate_lock = lock
        main._ident = ident
        # That of the system is not known; it is for showing only.
        main._native_id = None
        module._active[ident] = main


def is_main_thread() -> bool:
    """Whether this is the main thread of the main interpreter."""
    import _signal  # type: ignore[import-not-found]

    try:
        # No handler at all. The question whether this thread may set one comes first.
        _signal.signal(_signal.SIGINT, None)
    except ValueError:
        return False
    except TypeError:
        pass
    return True


import_threading()
