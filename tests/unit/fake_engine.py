"""A stand-in for the native engine that does what a test tells it."""

from __future__ import annotations

import threading
import types
from typing import Any


def report(status: str = "applied", generation: int = 1, **more: Any) -> dict[str, Any]:
    """A report as the native part makes it."""
    files = more.pop("files", ["/project/shop/cart.py"])
    changes = more.pop("changes", [])
    error = more.pop("error", None)
    value = {
        "generation": generation,
        "status": status,
        "groups": [{"status": status, "files": files, "changes": changes, "error": error}],
        "files": files,
        "changes": changes,
        "pending": [],
        "error": error,
        "duration_ms": {"plan": 0.8, "commit": 1.0},
        "notes": [],
    }
    value.update(more)
    return value


def unchanged(generation: int = 0) -> dict[str, Any]:
    """The report of a sync that found nothing."""
    return report("unchanged", generation, files=[], groups=[], duration_ms={})


class FakeEngine:
    """Announces and applies what `save` was given, in order."""

    made: list[FakeEngine] = []

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.imports: list[str] = []
        self.paused = False
        self.started = False
        self.stopped = False
        self.rolled_back: list[int] = []
        self.queue: list[Any] = []
        self.condition = threading.Condition()
        self.on_apply = lambda: None
        FakeEngine.made.append(self)

    def save(self, outcome: Any) -> None:
        """The next update has this outcome: a report, None, or an exception to raise."""
        with self.condition:
            self.queue.append(outcome)
            self.condition.notify_all()

    def inherit(self, other: FakeEngine) -> None:
        self.inherited = other

    def before_fork(self, seconds: float) -> None:
        pass

    def after_fork(self) -> None:
        pass

    def after_fork_in_child(self, parent: FakeEngine) -> None:
        self.inherited = parent
        parent.stopped = True

    def start(self) -> None:
        self.started = True

    def wait(self, timeout: float | None = None) -> bool:
        with self.condition:
            self.condition.wait_for(lambda: self.stopped or (self.queue and not self.paused), timeout)
            return bool(self.queue) and not self.stopped

    def note_import(self, name: str) -> None:
        self.imports.append(name)

    def apply(self) -> dict[str, Any] | None:
        self.on_apply()
        with self.condition:
            outcome = self.queue.pop(0) if self.queue else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def sync(self, timeout: float | None = None) -> dict[str, Any]:
        return self.apply() or unchanged()

    def rollback(self, generation: int) -> dict[str, Any]:
        self.rolled_back.append(generation)
        return report(generation=generation + 1)

    def diff(self, a: int, b: int) -> str:
        return f"{a}..{b}"

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        with self.condition:
            self.paused = False
            self.condition.notify_all()

    def get_ready(self) -> None:
        pass

    def stop(self, leaving: bool = False) -> None:
        with self.condition:
            self.stopped = True
            self.condition.notify_all()

    def status(self) -> dict[str, Any]:
        return {"watched": {"files": 1}}


def module() -> types.ModuleType:
    """What stands in for `hotswap._hotswap`, which then need not be built."""
    native: Any = types.ModuleType("hotswap._hotswap")
    native.Event = threading.Event
    native.thread_ident = threading.get_ident
    native.give_way = lambda: None
    native.Engine = FakeEngine
    native.__version__ = "0.0.0"
    native.doctor = lambda: {"capabilities": [{"name": "code", "available": True, "reason": ""}]}
    return native
