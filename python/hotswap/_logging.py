"""The loggers of hotswap. `logging` is imported when one of them is used: a program may do without it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hotswap._report import Report


shown = False
"""Whether `hotswap run` shows what is logged, though the program may do without `logging`."""
on_first_use: list[Callable[[], None]] = []
"""Called once, when `logging` has been imported."""


class LazyLogger:
    """A logger that is made when it is used for the first time."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if "logging" not in sys.modules and not shown:
            # Nobody can have asked for what would be written.
            return _say_nothing
        return getattr(self.made(), name)

    def made(self) -> Any:
        """The logger itself."""
        import logging

        if not hasattr(logging, "getLogger"):
            # A module of the program has taken the name.
            return PlainLogger()
        while on_first_use:
            on_first_use.pop()()
        top = logging.getLogger("hotswap")
        if not any(isinstance(handler, logging.NullHandler) for handler in top.handlers):
            top.addHandler(logging.NullHandler())
        return logging.getLogger(self._name)


def _say_nothing(*_: object, **__: object) -> None:
    pass


class PlainLogger:
    """Warnings and worse on stderr, where there is no `logging` of the standard library."""

    def log(self, level: int, message: str, *values: object, **_: object) -> None:
        if level >= 30 and sys.stderr is not None:
            sys.stderr.write(f"hotswap: {message % values if values else message}\n")

    def debug(self, message: str, *values: object, **words: object) -> None:
        self.log(10, message, *values, **words)

    def info(self, message: str, *values: object, **words: object) -> None:
        self.log(20, message, *values, **words)

    def warning(self, message: str, *values: object, **words: object) -> None:
        self.log(30, message, *values, **words)

    def error(self, message: str, *values: object, **words: object) -> None:
        self.log(40, message, *values, **words)

    def exception(self, message: str, *values: object, **words: object) -> None:
        self.log(40, message, *values, **words)
        sys.excepthook(*sys.exc_info())


logger = LazyLogger("hotswap")
watch_logger = LazyLogger("hotswap.watch")
apply_logger = LazyLogger("hotswap.apply")

_LEVELS = {"applied": 20, "unchanged": 10, "held": 30, "rejected": 40}
"""INFO, DEBUG, WARNING and ERROR of `logging`."""


def log_report(report: Report) -> None:
    """Write the one line of this update, and, for those who want them, the details below it."""
    extra = {"report": report}
    if "logging" in sys.modules:
        logger.log(level_of(report), "%s", report, extra=extra)
        for line in details_of(report):
            apply_logger.debug("%s", line, extra=extra)
    for note in report.notes:
        watch_logger.info("%s", note, extra=extra)


def level_of(report: Report) -> int:
    return _LEVELS.get(report.status, 20)


def details_of(report: Report) -> list[str]:
    lines = []
    for change in report.changes:
        if change.reason or change.advice:
            advice = f"; {change.advice}" if change.advice else ""
            lines.append(f"{change.qualname} {change.action}: {change.reason}{advice}")
    for pending in report.pending:
        lines.append(f"{pending.where}, in the old {pending.qualname}: {pending.reason}")
    return lines
