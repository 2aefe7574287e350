"""hotswap in a process that knew nothing of it: what `hotswap attach` starts there.

`_attach.py` is the other end. Both speak JSON, one object a line, over a socket pair that has no name.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque

from hotswap import _loop
from hotswap._config import enabled, resolve
from hotswap._errors import HotswapError
from hotswap._logging import level_of, logger
from hotswap._session import Session, open_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from logging import LogRecord
    from typing import Any

    from hotswap._report import Report

PROTOCOL = 1
"""Changed when the two ends would not understand each other any more."""
_LINES_KEPT = 1000
"""How many lines wait for a terminal that does not read."""


def start(channel: socket, settings: dict[str, Any]) -> None:
    """Watch, and tell the other end; in a thread of our own, so that the one that was injected can end."""
    _loop.start_thread(Attached(channel, settings).run, "hotswap attach")


class Attached:
    """One attachment: a session, and the channel to the terminal that asked for it."""

    def __init__(self, channel: socket, settings: dict[str, Any]) -> None:
        self._channel = channel
        self._settings = settings
        self._session: Session | None = None
        self._unsent: deque[bytes] = deque(maxlen=_LINES_KEPT)
        self._rest = b""
        self._pid = os.getpid()

    def run(self) -> None:
        """Watch until the other end hangs up or lets go."""
        detached = False
        try:
            already = _loop.current is not None
            session = self._open()
            if session is None:
                return
            self._session = session
            handler = _warnings_to(self)
            logger.made().addHandler(handler)
            try:
                self.send(
                    event="watching",
                    pid=os.getpid(),
                    generation=session.generation,
                    already=already,
                    paths=session._paths,
                    files=_count_of_files(session),
                )
                detached = self._listen()
            finally:
                logger.made().removeHandler(handler)
        finally:
            if self._session is not None:
                self._close(self._session, detached)
            self._channel.close()

    def _open(self) -> Session | None:
        if not enabled():
            self.send(event="refused", message="HOTSWAP=0 in its environment turns hotswap off there")
            return None
        try:
            options = resolve(self._settings.get("paths", ()), self._settings.get("arguments", {}))
            return open_session(options, self._tell)
        except HotswapError as error:
            self.send(event="refused", message=str(error))
        except Exception as error:
            import traceback

            self.send(
                event="refused",
                message=f"{type(error).__name__}: {error}",
                traceback="".join(traceback.format_exception(type(error), error, error.__traceback__)),
            )
        return None

    def _listen(self) -> bool:
        """Wait for the other end; whether it lets the session go on without it."""
        text = b""
        while True:
            try:
                received = self._channel.recv(4096)
            except OSError:
                return False
            if not received:
                return False
            text += received
            *lines, text = text.split(b"\n")
            for line in lines:
                if json.loads(line).get("command") == "detach":
                    return True

    def _close(self, session: Session, detached: bool) -> None:
        if detached:
            if self._tell in (session._loop.on_update if session._loop else ()):
                session._loop.on_update.remove(self._tell)  # type: ignore[union-attr]
                session._on_update = None
            self.send(event="detached")
            return
        session.stop()
        _loop.forget_process_events()
        remove = getattr(sys.modules["hotswap"].__loader__, "remove", None)
        if remove is not None and _loop.current is None:
            remove()  # the finder that brought hotswap; the next attachment puts it back
        self.send(event="ended")

    def _tell(self, report: Report) -> None:
        if os.getpid() == self._pid:  # a forked child has the session, but its own terminal
            self.send(event="report", report=report.to_dict(), level=level_of(report))

    def send(self, **message: Any) -> None:
        """Send one line, or keep it if the other end is slow. Never waits: an update would."""
        self._unsent.append(json.dumps(message).encode() + b"\n")
        while self._rest or self._unsent:
            part = self._rest or self._unsent.popleft()
            try:
                sent = self._channel.send(part, _QUIETLY)
            except BlockingIOError:
                self._rest = part
                return
            except OSError:  # nobody is there any more
                self._rest = b""
                self._unsent.clear()
                return
            self._rest = part[sent:]


def _send_flags() -> int:
    import _socket

    # Embedded hosts may not have turned off the signal that ends a process which writes to nobody.
    return _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL


_QUIETLY = _send_flags()


def _warnings_to(attached: Attached) -> Any:
    import logging

    class Handler(logging.Handler):
        """Sends what hotswap logs besides its reports."""

        def emit(self, record: LogRecord) -> None:
            if not hasattr(record, "report"):
                attached.send(event="log", level=record.levelno, message=self.format(record))

    return Handler(logging.INFO)


def _count_of_files(session: Session) -> int:
    files = session.status().get("files", ())
    return len(files) if not isinstance(files, int) else files
