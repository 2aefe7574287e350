"""hotswap in a process that knew nothing of it: what `hotswap attach` starts there.

`_attach.py` is the other end. Between them is a socket pair that has no name, over which the language of
`_control.py` is spoken, with three commands more:

    {"command": "watch", "paths": [...], "arguments": {...}, "follow": true}   {"ok": true, "watching": {...}}
    {"command": "detach"}    the session stays when the channel ends
    {"command": "end"}       nothing of the attachment is left when the answer comes

A channel that ends without a word is an `end`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from hotswap import _control, _loop
from hotswap._config import enabled, resolve
from hotswap._errors import AttachError
from hotswap._logging import logger
from hotswap._session import Session, open_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from logging import Handler, LogRecord
    from typing import Any

PROTOCOL = 1
"""Changed when the two ends would not understand each other any more."""


_attachments: set[Attached] = set()


def start(channel: socket) -> None:
    """Answer on this channel, in a thread of our own, so that the one that was injected can end."""
    _loop.start_thread(Attached(channel).run, "hotswap attach")


class Attached:
    """One attachment: a channel, and the session that was asked for on it."""

    def __init__(self, channel: socket) -> None:
        self._channel = channel
        self._session: Session | None = None
        self._handler: Handler | None = None
        self._pid = os.getpid()

    def run(self) -> None:
        """Answer until the other end hangs up; then see to it that nothing is left."""
        commands = {"watch": self._watch, "detach": self._detach, "end": self._end}
        _attachments.add(self)
        try:
            _control.serve(self._channel, commands)
        finally:
            _attachments.discard(self)
            session, self._session = self._session, None
            self._leave(session)

    def forget(self) -> None:
        """In a forked child, which has neither the thread of this attachment nor anybody at the other end."""
        session, self._session = self._session, None
        self._handler = (
            None  # it has nobody to tell, and a lock of the logging module may be another thread's
        )
        self._leave(session)

    def _watch(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._session is not None:
            raise AttachError("this channel has its session already")
        if not enabled():
            raise AttachError("HOTSWAP=0 in its environment turns hotswap off there")
        already = _loop.current is not None
        options = resolve(request.get("paths", ()), request.get("arguments", {}))
        self._session = session = open_session(options)
        self._handler = _handler(lambda message: _control.tell(self._channel, message))
        logger.made().addHandler(self._handler)
        watched = {
            "pid": self._pid,
            "generation": session.generation,
            "already": already,
            "files": len(session.status().get("files", ())),
        }
        return {"watching": watched}

    def _detach(self, request: dict[str, Any]) -> dict[str, Any]:
        self._forget_handler()
        self._session = None
        return {"detached": True}

    def _end(self, request: dict[str, Any]) -> dict[str, Any]:
        session, self._session = self._session, None
        self._leave(session)
        return {"ended": True}

    def _leave(self, session: Session | None) -> None:
        self._forget_handler()
        if session is None:
            return
        session.stop()
        if _loop.current is not None:  # the program, or another attachment, watches as well
            return
        _loop.forget_process_events()
        remove = getattr(sys.modules["hotswap"].__loader__, "remove", None)
        if remove is not None:
            remove()  # the finder that brought hotswap; the next attachment puts it back

    def _forget_handler(self) -> None:
        if self._handler is not None:
            logger.made().removeHandler(self._handler)
            self._handler = None


def after_fork_in_child() -> None:
    """An attachment is to one process: its children have the code that was updated, and go on without it."""
    for attached in tuple(_attachments):
        attached.forget()
    _attachments.clear()


def _handler(tell: Callable[[dict[str, Any]], None]) -> Handler:
    import logging

    class TellingHandler(logging.Handler):
        """Tells what hotswap logs besides its reports."""

        def emit(self, record: LogRecord) -> None:
            if not hasattr(record, "report"):
                tell({"log": self.format(record), "level": record.levelno})

    return TellingHandler(logging.INFO)
