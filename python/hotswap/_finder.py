"""The finder that tells the engine of imports. It finds nothing by itself."""

from __future__ import annotations

import sys

from hotswap._main_thread import ThreadingFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class NotingFinder(ThreadingFinder):
    """Stands first in `sys.meta_path` and passes on the name of every module about to be imported."""

    __slots__ = ("_note",)

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Note the name; None, so that the next finder is asked, but for `threading`."""
        self._note(fullname)
        return super().find_spec(fullname, path, target) if fullname == "threading" else None

    def install(self) -> None:
        """Note imports from now on."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Note no more. Idempotent, also when somebody replaced `sys.meta_path`."""
        try:
            sys.meta_path.remove(self)
        except ValueError:
            pass
