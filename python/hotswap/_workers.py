"""The lines of `hotswap run` where the program has workers: each tells the first process its own."""

from __future__ import annotations

import _thread
import atexit
import os
import time

from hotswap import _control, _family, _loop
from hotswap._report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hotswap._family import Outcome
    from hotswap._stream_log import StreamLog

GREETING_SECONDS = 3.0
"""How long a new worker may take to greet the first process."""
TELL_SECONDS = 5.0
"""How long a worker waits for the first process, which has nothing to do but to note a line."""

LATE_SECONDS = 1.0
"""How long a worker is waited for that has not told of an edit; it may not have the module at all."""


class WorkersLog:
    """Writes the updates of one program: at once where it is alone, else when its workers have told theirs.

    The object is the same in the process that `hotswap run` has started and in its forks; `first` is the
    number of that process.
    """

    def __init__(self, log: StreamLog, first: int | None = None) -> None:
        self._log = log
        self._first = os.getpid() if first is None else first
        self._edits: list[list[Outcome]] = []
        self._lock = _thread.allocate_lock()
        """Held while an outcome is sorted in, or an edit taken out: several threads do."""
        self._workers: set[int] = set()
        self._latest = 0.0
        self._waiting = False
        if self._first == os.getpid():
            _control.commands["outcome"] = self._hear
            atexit.register(self._write_all)
        _loop.listening_callbacks.append(self._greet)

    def write_report(self, report: Report) -> None:
        """Note the report of this process; fits `watch(on_update=...)`."""
        if os.getpid() == self._first:
            self._note((os.getpid(), time.time(), report))
        elif not self._tell(report):
            self._log.write_report(report)

    def _greet(self) -> None:
        """A worker has begun to watch: the first process shall wait for its word."""
        if os.getpid() != self._first:
            self._tell(None)

    def _tell(self, report: Report | None) -> bool:
        """Tell the first process. False: it is gone, or this user cannot reach it."""
        import json
        import socket

        told: dict[str, Any] = {"command": "outcome", "pid": os.getpid(), "time": time.time()}
        if report is not None:
            told["report"] = report.to_dict()
        for place in _control.places(os.geteuid()):
            path = os.path.join(place, f"{self._first}.sock")
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(TELL_SECONDS)
                    connection.connect(path)
                    connection.sendall(json.dumps(told).encode() + b"\n")
                    return connection.recv(100).startswith(b'{"ok": true')
            except OSError:
                continue
        return False

    def _hear(self, request: dict[str, Any]) -> dict[str, Any]:
        self._workers.add(request["pid"])
        if "report" in request:
            self._note((request["pid"], request["time"], Report.from_dict(request["report"])))
        return {}

    def _note(self, outcome: Outcome) -> None:
        with self._lock:
            for edit in self._edits:
                if _family.belongs(outcome, edit):
                    edit.append(outcome)
                    break
            else:
                self._edits.append([outcome])
        self._latest = time.monotonic()
        if self._waiting:
            return
        self._workers = {pid for pid in self._workers if _control.alive(pid)}
        if not self._workers and not _has_just_forked():
            self._write_all()
            return
        self._waiting = True
        try:
            _loop.start_thread(self._write_soon, "hotswap lines")
        except RuntimeError:  # the main thread has ended
            self._waiting = False
            self._write_all()

    def _write_soon(self) -> None:
        from hotswap._hotswap import Event

        pause = Event()
        while True:
            patience = _family.QUIET_SECONDS if self._have_all_told() else LATE_SECONDS
            left = self._latest + patience - time.monotonic()
            if left <= 0:
                break
            pause.wait(min(left, _family.QUIET_SECONDS))
        self._waiting = False
        self._write_all()

    def _have_all_told(self) -> bool:
        workers = {pid for pid in tuple(self._workers) if _control.alive(pid)}
        return all(workers <= {pid for pid, _, _ in edit} for edit in tuple(self._edits))

    def _write_all(self) -> None:
        if os.getpid() != self._first:  # a fork, which has inherited what is the first one's to write
            return
        with self._lock:
            edits, self._edits = self._edits, []
        for edit in edits:
            self._log.write_edit(edit)


def _has_just_forked() -> bool:
    return _loop.last_fork is not None and time.monotonic() - _loop.last_fork < GREETING_SECONDS
