"""The exceptions of hotswap.

Broken user source is not among them: a syntax error or a failing import gives a `Report` that says so.
The native part raises these classes too; it finds them here.
"""

from __future__ import annotations


class HotswapError(Exception):
    """The base of every exception that hotswap raises."""


class HotswapConfigError(HotswapError, ValueError):
    """A setting has a value that hotswap does not know; the message names where it stands."""


class WatchError(HotswapError):
    """A path cannot be watched."""


class NotWatchingError(HotswapError):
    """Nothing is watched yet, or no longer."""


class ApplyError(HotswapError):
    """An update could not be carried out; the process runs on as it was."""


class StepError(ApplyError):
    """One step of an update failed; the whole group was rolled back."""


class RollbackError(HotswapError):
    """The asked generation is not known, or cannot come back."""


class AttachError(HotswapError):
    """hotswap could not be started in another process, which runs on as it was."""


class TraceError(AttachError):
    """The kernel does not let this process trace the other one."""
