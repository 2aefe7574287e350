"""Modules of the standard library that are imported when something of them is used.

The plugins for the standard library are loaded in every program; most updates use nothing of `ast` and its
like, which would take twenty milliseconds and two megabytes.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Later:
    """Stands for a module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        __import__(self._name)
        return getattr(sys.modules[self._name], name)
