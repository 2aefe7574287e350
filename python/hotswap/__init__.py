"""Hot reload for Python: save a file, the running process continues with the new code and its state.

import hotswap
hotswap.watch("src")
"""

from hotswap import _main_thread as _main_thread  # first: it sees to the import of threading
from hotswap._errors import (
    ApplyError,
    AttachError,
    HotswapConfigError,
    HotswapError,
    NotWatchingError,
    RollbackError,
    StepError,
    WatchError,
)
from hotswap._monitor import monitor_dir
from hotswap._report import Change, ErrorInfo, Group, Pending, Report
from hotswap._session import Session, after_update, before_update, checkpoint, stop, sync, watch

__all__ = [
    "ApplyError",
    "AttachError",
    "Change",
    "ErrorInfo",
    "Group",
    "HotswapConfigError",
    "HotswapError",
    "NotWatchingError",
    "Pending",
    "Report",
    "RollbackError",
    "Session",
    "StepError",
    "WatchError",
    "__version__",
    "after_update",
    "before_update",
    "checkpoint",
    "monitor_dir",
    "stop",
    "sync",
    "watch",
]

__version__: str


def __getattr__(name: str) -> str:
    # The native part is loaded when it is needed: with HOTSWAP=0 it never is.
    if name == "__version__":
        from hotswap._hotswap import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
