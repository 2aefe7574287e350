"""Hot reload for Python: save a file, the running process continues with the new code and its state.

import hotswap
hotswap.watch("src")
"""

from typing import TYPE_CHECKING

from hotswap._errors import (
    ApplyError,
    HotswapConfigError,
    HotswapError,
    NotWatchingError,
    RollbackError,
    StepError,
    WatchError,
)
from hotswap._monitor import monitor_dir
from hotswap._session import Session, after_update, before_update, checkpoint, stop, sync, watch

if TYPE_CHECKING:
    from hotswap._report import Change, ErrorInfo, Group, Pending, Report

__all__ = [
    "ApplyError",
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


_REPORTS = ("Change", "ErrorInfo", "Group", "Pending", "Report")


def __getattr__(name: str) -> object:
    # What only a report needs is loaded with the first one.
    if name in _REPORTS:
        from hotswap import _report

        return getattr(_report, name)
    # The native part is loaded when it is needed: with HOTSWAP=0 it never is.
    if name == "__version__":
        from hotswap._hotswap import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
