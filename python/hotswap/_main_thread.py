"""`threading`, imported as if the main thread had done it.

Up to CPython 3.12 whichever thread imports it first is the main thread from then on: `main_thread()` is
wrong, and the end of the interpreter looks at the lock of the wrong thread. In a host whose first thread
never runs Python, or in a process that hotswap is brought into, the first to import it may be hotswap.
"""

from __future__ import annotations

import sys

from hotswap._config import enabled


def import_threading() -> None:
    """Import it, unless somebody has, and give the main thread its due."""
    if sys.version_info >= (3, 13) or "threading" in sys.modules or _is_main_thread() or not enabled():
        return
    try:
        from hotswap._hotswap import first_thread_ident
    except ImportError:
        # An interpreter with a lock of its own, where `watch` says why, and no thread is the main thread.
        return
    first = first_thread_ident()
    import threading

    main = threading.main_thread()
    if first is None or main.ident == first or main.ident != threading.get_ident():
        return
    give_to(first)


def give_to(ident: int) -> None:
    """Make the main thread's object that of another thread, where `threading` is made as it is known."""
    import _thread
    import threading
    from typing import Any

    # None of this is public.
    module: Any = threading
    main: Any = threading.main_thread()
    known = (
        hasattr(module, "_active") and hasattr(module, "_shutdown_locks") and hasattr(main, "_tstate_lock")
    )
    if not known:
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


def _is_main_thread() -> bool:
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
