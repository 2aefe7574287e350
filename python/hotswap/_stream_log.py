"""The lines that the command line writes to stderr."""

from __future__ import annotations

import atexit
import os
import sys
from collections import deque

from hotswap import _family, _logging
from hotswap._logging import details_of, level_of, logger, on_first_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import LogRecord
    from typing import TextIO

    from hotswap._family import Outcome
    from hotswap._report import Report

_HELD_LINES = 200
_HEAD = r"(hotswap(?:\[\d+\])?:?(?: (?:#\d+|rejected|held|unchanged))?)(.*?)(   [\d.]+ ms)?"
DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
"""The levels of `logging`, which is not imported for them: a program may do without it."""


class StreamLog:
    """Writes updates, and what else hotswap logs, to a stream: the stderr of the moment it was made.

    Updates do not come by way of `logging`: a program that configures logging
    disables the loggers it does not know, and the user would wait for a line in vain.
    While a full-screen program draws on that terminal, lines are held back until it is done.
    """

    def __init__(
        self,
        level: int = INFO,
        as_json: bool = False,
        stream: TextIO | None = None,
        first: int | None = None,
    ) -> None:
        self.level = level
        self._stream = sys.stderr if stream is None else stream
        # Lines of other processes than this one bear their number.
        self._pid = os.getpid() if first is None else first
        self._held: deque[str] = deque(maxlen=_HELD_LINES)
        self._json = as_json
        self._colour = not as_json and self._stream is not None and wants_colour(self._stream)

    def attach(self) -> None:
        """Show the warnings of hotswap's loggers too, from the first one on."""
        atexit.register(self.close)
        if "logging" in sys.modules:
            self._add_handler()
        else:
            _logging.shown = True
            on_first_use.append(self._add_handler)

    def _add_handler(self) -> None:
        import logging

        log = self

        class StreamHandler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                log.emit(record)

            def flush(self) -> None:
                log.flush()

            def close(self) -> None:
                log.close()
                super().close()

        hotswap_logger = logger.made()
        hotswap_logger.addHandler(StreamHandler(self.level))
        hotswap_logger.setLevel(min(self.level, INFO))
        # The program's own handlers shall not print the same lines again.
        hotswap_logger.propagate = False

    def write_report(self, report: Report, pid: int | None = None) -> None:
        """Write the line of one update, of this process or another; fits `watch(on_update=...)`."""
        if level_of(report) < self.level:
            return
        pid = os.getpid() if pid is None else pid
        if self._json:
            self._write_json({"pid": pid, **report.to_dict()})
            return
        self._write(self._dressed(str(report), level_of(report), pid))
        self._write_more(report, pid)

    def write_edit(self, edit: list[Outcome]) -> None:
        """Write the line of an edit that one or several processes of the program have taken."""
        if len(edit) == 1:
            self.write_report(edit[0][2], edit[0][0])
            return
        level = _family.level_of_edit(edit)
        if level < self.level:
            return
        if self._json:
            self._write_json({"pid": self._pid, **_family.to_dict(edit)})
            return
        self._write(self._dressed(_family.line_of(edit), level, self._pid))
        told: set[object] = set()
        for pid, _, report in edit:
            # The same in each worker; once is enough.
            if (report.status, report.error, report.pending) not in told:
                told.add((report.status, report.error, report.pending))
                self._write_more(report, pid)

    def _write_more(self, report: Report, pid: int) -> None:
        if report.error is not None and report.error.type != "SyntaxError" and report.error.traceback:
            self._write(report.error.traceback.rstrip())
        if self.level <= DEBUG:
            for line in details_of(report):
                self._write(self._dressed(f"hotswap: {line}", INFO, pid))

    def emit(self, record: LogRecord) -> None:
        """Write what hotswap has logged, other than reports."""
        import logging

        if hasattr(record, "report"):
            return
        text = logging.Formatter().format(record)
        if self._json:
            self._write_json({"pid": os.getpid(), "level": record.levelname.lower(), "message": text})
        else:
            self._write(self._dressed(f"hotswap: {text}", record.levelno, os.getpid()))

    def _dressed(self, text: str, level: int, pid: int) -> str:
        if pid != self._pid:  # a worker of the program
            text = f"hotswap[{pid}]{text[len('hotswap') :]}"
        return dressed(text, level, self._colour)

    def flush(self) -> None:
        """Show the lines that were held back, if the terminal can take them by now."""
        if self._held and not screen_is_taken(self._stream):
            self._show_held()

    def close(self) -> None:
        """The interpreter ends: show what was held back, come what may."""
        self._show_held()

    def _write_json(self, line: dict[str, object]) -> None:
        import json

        self._write(json.dumps(line))

    def _write(self, line: str) -> None:
        if screen_is_taken(self._stream):
            self._held.append(line)
            return
        self._show_held()
        self._print(line)

    def _show_held(self) -> None:
        while self._held:
            self._print(self._held.popleft())

    def _print(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or there never was one
            pass


def dressed(text: str, level: int, colour: bool) -> str:
    """A line as it is shown, in colour or not."""
    if not colour:
        return text
    import re

    match = re.fullmatch(_HEAD, text, re.S)
    if match is None:
        return text
    hue = "31" if level >= ERROR else "33" if level >= WARNING else "32"
    duration = f"\x1b[2m{match[3]}\x1b[0m" if match[3] else ""
    return f"\x1b[1;{hue}m{match[1]}\x1b[0m{match[2]}{duration}"


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to this stream: on a terminal, unless the user said no."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # replaced by the program, or closed
        return False


def screen_is_taken(stream: TextIO) -> bool:
    """Whether this is a terminal that a full-screen program draws on: a line would spoil the picture."""
    try:
        import termios

        modes = termios.tcgetattr(stream.fileno())[3]
    except Exception:  # Windows, no terminal, closed, replaced by the program
        return False
    if modes & termios.ICANON:
        return False
    if not modes & termios.ISIG:
        return True
    # A prompt that edits its line leaves the interrupt key on, and so does curses.
    curses = sys.modules.get("_curses")
    try:
        return curses is not None and not curses.isendwin()
    except curses.error:  # type: ignore[union-attr]  # it was never started
        return False
