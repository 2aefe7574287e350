"""The control channel: what another program of the same user may ask of a watched process.

A process that watches listens on a Unix socket in a directory that only its user can enter. `serve` answers
on any connected stream socket, so that the nameless pair of an attachment speaks the same language.

The language is JSON, one object a line. A request has a `command`, and an answer has `ok`:

    {"command": "status"}                   {"ok": true, "status": {...}}
    {"command": "log", "last": 20}          {"ok": true, "log": [{"time": ..., "report": {...}}, ...]}
    {"command": "diff", "from": 1, "to": 2} {"ok": true, "diff": "..."}
    {"command": "rollback", "to": 1}        {"ok": true, "report": {...}}
    {"command": "sync"}                     {"ok": true, "report": {...}}
    {"command": "pause"}, {"command": "resume"}  {"ok": true, "paused": true}
    {"follow": true}                        {"ok": true}, then {"time": ..., "report": {...}} as they come
    anything that fails                     {"ok": false, "error": "...", "kind": "RollbackError"}

`follow` may stand beside `log`, and further requests may follow it. `{"stopped": true}` is the last line of a
channel whose process watches no more.

What stands here must be cheap to import: `socket` takes longer than all of hotswap, and under gevent it is
no longer the system's. `json` is imported with the first request.
"""

from __future__ import annotations

import _socket
import os
import stat
import sys
import time
from _collections import deque  # type: ignore[import-not-found]

from hotswap import _loop
from hotswap._errors import HotswapError, NotWatchingError, RollbackError
from hotswap._logging import watch_logger
from hotswap._report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    class Connection(Protocol):
        """A connected stream socket: of `socket`, or of `_socket`."""

        def recv(self, size: int, flags: int = ..., /) -> bytes: ...
        def send(self, text: bytes, flags: int = ..., /) -> int: ...
        def sendall(self, text: bytes, flags: int = ..., /) -> None: ...
        def shutdown(self, how: int, /) -> None: ...
        def close(self) -> None: ...

    Command = Callable[[dict[str, Any]], dict[str, Any]]

LONGEST_REQUEST = 1 << 20
"""Bytes of one line; a longer one ends the connection."""
MOST_CONNECTIONS = 64
"""Each has a thread of its own."""
MOST_UNSENT = 1000
"""Reports that wait for a follower who does not read; the oldest are forgotten beyond."""
LONGEST_DIRECTORY = 80
"""Bytes; the name of a socket may have little more than 100."""
STOP_SECONDS = 1.0
"""How long `stop` waits for the thread that accepts."""
LAST_WORDS_SECONDS = 0.2
"""How long `stop` waits for a follower to read what was not sent yet, and for what was asked to be done."""
COMMAND = "hotswap pause"
"""Who holds the updates, beside the sessions of the program."""
_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)
"""In a host that leaves SIGPIPE as it is, a peer that has gone would end the process."""
_NO_WAIT = getattr(_socket, "MSG_DONTWAIT", 0)

_connections: dict[Connection, _Follower] = {}
"""Those that are served now; a forked child lets go of them."""
_servers: set[Server] = set()
commands: dict[str, Command] = {}
"""Further commands of this process, by name."""


# ---------------------------------------------------------------------------------------- serving


def serve(connection: Connection, further: Mapping[str, Command] | None = None) -> None:
    """Answer the requests that come over a connected stream socket until it ends; then close it.

    Blocks: call it in a thread of its own. Whom to let in is the caller's decision. `further` are more
    commands by name, or others in the place of these: each is called with the request and returns what
    the answer holds beside `ok`; what it raises below `HotswapError` becomes the answer's `error`.
    """
    quiet_socket(connection)
    follower = _connections[connection] = _Follower(connection)
    all_commands = {**_COMMANDS, **commands, **(further or {})}
    peer = peer_of(connection) or (0, -1)
    try:
        for line in _lines(connection):
            follower.busy = True
            request, answer = _answer(line, all_commands, peer)
            if answer["ok"] and request.get("follow"):
                # From here on, so that nothing is missed between the answer and the first report.
                answer = follower.begin() or answer
            follower.send(answer)
            follower.go_on()
            follower.busy = False
    except OSError:  # the peer has gone, or `stop` has closed the connection
        pass
    finally:
        follower.end()
        _connections.pop(connection, None)
        connection.close()


def tell(connection: Connection, line: dict[str, Any]) -> None:
    """Send a line that nobody asked for to one that is served, and that follows. Does not wait."""
    follower = _connections.get(connection)
    if follower is not None:
        follower.note(line)


def _answer(
    line: bytes, all_commands: Mapping[str, Command], peer: tuple[int, int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import json

    request: dict[str, Any] = {}
    try:
        parsed = json.loads(line)
        if not isinstance(parsed, dict):
            raise ValueError("a request is a JSON object")
        request = parsed
        name = request.get("command", "log" if request.get("follow") else None)
        command = all_commands.get(name) if isinstance(name, str) else None
        if command is None:
            raise ValueError(f"there is no command {name!r}; there are {', '.join(sorted(all_commands))}")
    except (ValueError, RecursionError) as error:
        return {}, _refusal(error)
    try:
        sys.audit("hotswap.control", name, *peer)
    except Exception as error:
        return {}, _refusal(error, "an audit hook of the process refuses: ")
    try:
        answer = {"ok": True, **command(request)}
    except HotswapError as error:
        answer = _refusal(error)
    except Exception as error:
        watch_logger.exception("the command %r failed inside hotswap; the program runs on", name)
        answer = _refusal(error, "failed inside hotswap: ")
    if "id" in request:
        answer["id"] = request["id"]
    return request, answer


def _refusal(error: BaseException, before: str = "") -> dict[str, Any]:
    return {"ok": False, "error": f"{before}{error}", "kind": type(error).__name__}


def _lines(connection: Connection) -> Any:
    pending = b""
    while True:
        received = connection.recv(65536)
        if not received:
            return
        *lines, pending = (pending + received).split(b"\n")
        if len(pending) > LONGEST_REQUEST:
            return
        for line in lines:
            if line.strip():
                yield line


class _Follower:
    """Writes to one connection: answers, and the reports of those who asked to follow.

    Reports come in the thread that made the update, which must not wait for somebody who reads slowly: a
    thread of the follower's own sends them. Once there is one, it alone writes.
    """

    def __init__(self, connection: Connection) -> None:
        from hotswap._hotswap import Event

        self.busy = False
        """A request was read and is not answered yet."""
        self._connection = connection
        self._unsent: deque[dict[str, Any] | tuple[float, Report]] = deque(maxlen=MOST_UNSENT)
        self._more = Event()
        self._sent = Event()
        self._ended = False
        self._following = False
        self._answered = Event()
        self._sending = False

    def send(self, value: dict[str, Any]) -> None:
        """Send an answer."""
        if self._sending:
            self.note(value)
        else:
            self._connection.sendall(_line(value), _NO_SIGNAL)

    def begin(self) -> dict[str, Any] | None:
        """Note the reports that come from now on; the answer if that cannot be."""
        if self._following:
            return None
        try:
            _loop.start_thread(self._send_noted, "hotswap follower")
        except RuntimeError as error:
            return _refusal(error, "reports cannot be followed: ")
        self._following = True
        _loop.followers.append(self._report)
        return None

    def go_on(self) -> None:
        """Send what was noted, and what comes."""
        if self._following:
            self._sending = True
            self._answered.set()

    def say_stopped(self) -> None:
        """Tell the peer that there will be no more, if it reads."""
        stopped = {"stopped": True}
        if self._sending:
            self._sent.clear()
            self.note(stopped)
            self._sent.wait(LAST_WORDS_SECONDS)
        else:
            self._connection.send(_line(stopped), _NO_SIGNAL | _NO_WAIT)

    def end(self) -> None:
        """The connection is over."""
        self._ended = True
        if self._following:
            _loop.followers.remove(self._report)
        self._answered.set()
        self._more.set()

    def _report(self, report: Report, when: float) -> None:
        self.note((when, report))

    def note(self, item: dict[str, Any] | tuple[float, Report]) -> None:
        """Have this sent as soon as the peer reads."""
        self._unsent.append(item)
        self._more.set()

    def _send_noted(self) -> None:
        self._answered.wait()
        try:
            while not self._ended:
                self._more.wait()
                self._more.clear()
                while self._unsent and not self._ended:
                    item = self._unsent.popleft()
                    if isinstance(item, tuple):
                        item = {"time": item[0], "report": item[1].to_dict()}
                    self._connection.sendall(_line(item), _NO_SIGNAL)
                self._sent.set()
        except OSError:  # the peer has gone: the reading thread finds out as well
            pass


def _line(value: dict[str, Any]) -> bytes:
    import json

    return json.dumps(value, default=str).encode() + b"\n"


# --------------------------------------------------------------------------------------- commands


def _running() -> _loop.UpdateLoop:
    loop = _loop.current
    if loop is None:
        raise NotWatchingError("this process watches nothing any more")
    return loop


def _status(request: dict[str, Any]) -> dict[str, Any]:
    loop = _running()
    last = loop.history[-1] if loop.history else None
    return {"status": {**process_facts(), **loop.status(), "last": None if last is None else last.status}}


def _log(request: dict[str, Any]) -> dict[str, Any]:
    loop = _running()
    last = _number(request, "last", 0 if request.get("command") is None else None)
    entries = list(zip(loop.times, loop.history))
    if last is not None:
        entries = entries[len(entries) - min(last, len(entries)) :]
    return {
        "log": [{"time": when, "report": report.to_dict()} for when, report in entries],
        "generation": loop.generation,
        "oldest": loop.status().get("oldest_generation", 0),
    }


def _diff(request: dict[str, Any]) -> dict[str, Any]:
    loop = _running()
    to = _number(request, "to", loop.generation)
    assert to is not None
    old = _number(request, "from", max(to - 1, loop.oldest))
    assert old is not None
    return {"diff": loop.diff(old, to), "from": old, "to": to}


def _rollback(request: dict[str, Any]) -> dict[str, Any]:
    loop = _running()
    to = _number(request, "to", loop.generation - 1)
    assert to is not None
    if to < 0:
        raise RollbackError("nothing was updated yet: there is no earlier generation to go back to")
    return {"report": loop.rollback(to).to_dict()}


def _sync(request: dict[str, Any]) -> dict[str, Any]:
    return {"report": _running().sync(request.get("timeout")).to_dict()}


def _pause(request: dict[str, Any]) -> dict[str, Any]:
    loop = _running()
    loop.pause(COMMAND)
    return {"paused": loop.paused}


def _resume(request: dict[str, Any]) -> dict[str, Any]:
    loop = _running()
    loop.resume(COMMAND)
    return {"paused": loop.paused}


_COMMANDS: dict[str, Command] = {
    "status": _status,
    "log": _log,
    "diff": _diff,
    "rollback": _rollback,
    "sync": _sync,
    "pause": _pause,
    "resume": _resume,
}


def _number(request: dict[str, Any], name: str, default: int | None) -> int | None:
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise HotswapError(f"{name}={value!r}: expected a whole number of at least 0")


def process_facts() -> dict[str, Any]:
    """What tells this process from others."""
    return {
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "family": _loop.family or os.getpid(),
        "command": _command_line(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def _command_line() -> list[str]:
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        return [word.decode("utf-8", "replace") for word in words[:-1]]
    except OSError:
        return list(getattr(sys, "orig_argv", None) or getattr(sys, "argv", None) or [])


# ---------------------------------------------------------------------------------------- the socket


class Server:
    """Listens on the socket of this process. Nothing runs while nobody asks."""

    def __init__(self) -> None:
        self.path: str | None = None
        self.reason = ""
        """Why there is no socket."""
        self._listener: Any = None
        self._thread: Any = None
        self._stopping = False
        self._pid = os.getpid()

    def start(self) -> None:
        """Listen, if this system and this user's directories allow it."""
        reason = why_not()
        if reason is None:
            try:
                self._listen(own_directory())
            except OSError as error:
                reason = str(error)
                self._close()
                if isinstance(error, PermissionError):
                    watch_logger.warning("hotswap status and its like cannot reach this process: %s", reason)
        if reason is not None:
            self.reason = reason
            watch_logger.debug("there is no control channel: %s", reason)
            return
        _servers.add(self)
        try:
            self._thread = _loop.start_thread(self._accept, "hotswap control")
        except RuntimeError as error:
            # The main thread has ended, and the interpreter only waits for others.
            self.reason = str(error)
            self.stop()
            self._close()

    def stop(self) -> None:
        """Listen no more, and end what is being served. Idempotent."""
        if self._pid != os.getpid():
            return
        # May come in the middle of `start`, whose caller then calls it once more.
        self._stopping = True
        _servers.discard(self)
        listener = self._listener
        path, self.path = self.path, None
        if path is not None:
            if listener is not None:
                _wake(listener, path)
            _remove(path, self._inode)
            self._let_finish()
            for connection in tuple(self._served):
                _shut(connection)
        # Also where `start` has just begun it: from 3.13 on a thread that is not waited for keeps its stack
        # until the collector comes by.
        if self._thread is not None and not _loop.in_thread(self._thread):
            self._thread.join(STOP_SECONDS)

    def _let_finish(self) -> None:
        """Wait for the answers to what was asked by now: it may be the last word of a worker."""
        from hotswap._hotswap import Event

        pause = Event()
        end = time.monotonic() + LAST_WORDS_SECONDS
        while self._served and time.monotonic() < end:
            # First of all, so that a thread that has just received a request takes note of it.
            pause.wait(0.002)
            if not any(map(_is_busy, tuple(self._served))):
                break

    def forget(self) -> None:
        """In a forked child: let go of what is the parent's, which goes on with it."""
        self._stopping = True
        self._close()

    def _listen(self, directory: str) -> None:
        clear_stale(directory)
        self._served: set[Connection] = set()
        self._listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._listener.settimeout(None)  # the program may have set a default
        hidden = os.path.join(directory, f".{os.getpid()}")
        path = os.path.join(directory, f"{os.getpid()}.sock")
        number = 0
        while os.path.lexists(path) and answers(path):
            # A process with the same number in another container, which shares the directory.
            number += 1
            path = os.path.join(directory, f"{os.getpid()}.{number}.sock")
        try:
            os.unlink(hidden)
        except FileNotFoundError:
            pass
        try:
            self._listener.bind(hidden)
            os.chmod(hidden, 0o600)
            self._listener.listen(16)
            self._inode = os.lstat(hidden).st_ino
            # Whoever sees the name finds somebody who answers.
            os.rename(hidden, path)
        except OSError:
            try:
                os.unlink(hidden)
            except OSError:
                pass
            raise
        self.path = path

    def _accept(self) -> None:
        from hotswap._hotswap import Event

        try:
            while not self._stopping:
                try:
                    number, _ = self._listener._accept()
                except OSError as error:
                    if self._stopping:
                        break
                    watch_logger.debug("the control channel: %s", error)
                    Event().wait(0.1)  # perhaps out of descriptors; not in a loop that only fails
                    continue
                connection: Any = _socket.socket(fileno=number)
                connection.settimeout(None)
                if self._stopping:
                    connection.close()
                    break
                self._take(connection)
        finally:
            self._close()

    def _take(self, connection: Any) -> None:
        peer = peer_of(connection)
        uid = None if peer is None else peer[1]
        if uid is not None and uid not in (0, os.geteuid()):
            connection.close()
            return
        if len(self._served) >= MOST_CONNECTIONS:
            _send_and_close(connection, b'{"ok": false, "error": "too many connections", "kind": "Busy"}\n')
            return
        self._served.add(connection)

        def serve_it() -> None:
            try:
                serve(connection)
            finally:
                self._served.discard(connection)

        try:
            _loop.start_thread(serve_it, "hotswap connection")
        except RuntimeError:
            # The interpreter makes no more threads once the main thread has ended. One after the other, then.
            serve_it()

    def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()


def after_fork_in_child() -> None:
    """Close what is the parent's: a peer of the parent's would wait for this process as well."""
    for server in tuple(_servers):
        server.forget()
    _servers.clear()
    for connection in tuple(_connections):
        connection.close()
    _connections.clear()
    _loop.followers[:] = [
        note for note in _loop.followers if not isinstance(getattr(note, "__self__", None), _Follower)
    ]


def why_not() -> str | None:
    """Why nobody may ask this process; None: they may."""
    if not hasattr(_socket, "AF_UNIX"):
        return "this system has no Unix sockets that Python can use"
    for variable in ("HOTSWAP_NO_ATTACH", "PYTHON_DISABLE_REMOTE_DEBUG"):
        if os.environ.get(variable, "").strip() not in ("", "0"):
            return f"{variable} is set"
    return None


def own_directory() -> str:
    """The directory of this user's sockets, made if it is not there. OSError says why it cannot be used."""
    for place in places(os.geteuid()):
        above = os.path.dirname(place)
        if len(os.fsencode(place)) > LONGEST_DIRECTORY or not usable_above(above, os.geteuid()):
            continue
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            pass
        except OSError:
            continue
        reason = unsafe(place, os.geteuid())
        if reason is not None:
            raise PermissionError(reason)
        return place
    raise OSError("there is no directory for it: neither $XDG_RUNTIME_DIR nor /tmp can be written")


def places(uid: int) -> list[str]:
    """Where the sockets of a user may be, the best first."""
    found = []
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and uid == os.geteuid():
        found.append(os.path.join(runtime, "hotswap"))
    found.append(f"/run/user/{uid}/hotswap")
    # Not $TMPDIR: who asks may have another one than who answers.
    found.append(f"/tmp/hotswap-{uid}")
    return list(dict.fromkeys(found))


def usable_above(directory: str, uid: int) -> bool:
    """Whether only this user, or nobody but a file's owner, can exchange what lies in this directory."""
    try:
        state = os.stat(directory)
    except OSError:
        return False
    others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return (
        stat.S_ISDIR(state.st_mode)
        and state.st_uid in (0, uid)
        and (not others or bool(state.st_mode & stat.S_ISVTX))
    )


def unsafe(directory: str, uid: int) -> str | None:
    """Why the sockets in this directory cannot be trusted to be the user's; None: they can."""
    state = os.lstat(directory)
    if not stat.S_ISDIR(state.st_mode):
        return f"{directory} is no directory; remove it"
    if state.st_uid != uid:
        return f"{directory} belongs to user {state.st_uid}; remove it, or set XDG_RUNTIME_DIR"
    if stat.S_IMODE(state.st_mode) & 0o077:
        return f"{directory} is open to other users; remove it"
    return None


def peer_of(connection: Any) -> tuple[int, int] | None:
    """The process and the user at the other end of a Unix socket; None where the system does not say."""
    try:
        if hasattr(_socket, "SO_PEERCRED"):
            raw = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
            return int.from_bytes(raw[:4], sys.byteorder), int.from_bytes(raw[4:8], sys.byteorder)
        if hasattr(_socket, "LOCAL_PEERCRED"):
            # struct xucred of the BSDs: a version, then the user.
            raw = connection.getsockopt(0, _socket.LOCAL_PEERCRED, 76)
            return 0, int.from_bytes(raw[4:8], sys.byteorder)
    except (OSError, AttributeError):
        pass
    return None


def clear_stale(directory: str) -> None:
    """Remove the sockets of processes that have ended without doing so."""
    for name in os.listdir(directory):
        pid = pid_of(name)
        path = os.path.join(directory, name)
        # The process may live in another container that shares the directory: then it answers.
        if pid is not None and not alive(pid) and not answers(path):
            try:
                os.unlink(path)
            except OSError:  # another process was faster
                pass


def pid_of(name: str) -> int | None:
    """The process whose socket has this name."""
    first = name.lstrip(".").partition(".")[0]
    return int(first) if first.isdigit() and (name.endswith(".sock") or name == f".{first}") else None


def alive(pid: int) -> bool:
    """Whether there is a process of this number here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def answers(path: str) -> bool:
    """Whether somebody listens on this socket."""
    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except OSError:
        return True
    try:
        # A full queue of one that listens is no reason to wait.
        connection.setblocking(False)
        connection.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:
        return True
    finally:
        connection.close()
    return True


def quiet_socket(connection: Any) -> None:
    """A send to a peer that has gone shall be an error, not a signal, where this is set on the socket."""
    option = getattr(_socket, "SO_NOSIGPIPE", 0x1022 if sys.platform == "darwin" else None)
    if option is not None:
        try:
            connection.setsockopt(_socket.SOL_SOCKET, option, 1)
        except OSError:
            pass


def _wake(listener: Any, path: str) -> None:
    """Have the thread that waits for connections look up."""
    try:
        listener.shutdown(_socket.SHUT_RDWR)
    except OSError:
        # Not every system ends a wait so; a connection does, if the name is still there.
        answers(path)


def _is_busy(connection: Connection) -> bool:
    """Whether something that was asked over this connection is not answered yet."""
    follower = _connections.get(connection)
    if follower is None or follower.busy:  # None: its thread is about to begin
        return True
    try:
        return bool(_NO_WAIT and connection.recv(1, _socket.MSG_PEEK | _NO_WAIT))
    except OSError:  # nothing there
        return False


def _shut(connection: Connection) -> None:
    follower = _connections.get(connection)
    try:
        if follower is not None:
            follower.say_stopped()
        connection.shutdown(_socket.SHUT_RDWR)
    except OSError:  # gone, or it does not read
        pass


def _send_and_close(connection: Connection, text: bytes) -> None:
    try:
        connection.sendall(text, _NO_SIGNAL)
    except OSError:
        pass
    connection.close()


def _remove(path: str, inode: int) -> None:
    try:
        if os.lstat(path).st_ino == inode:
            os.unlink(path)
    except OSError:  # somebody has tidied up
        pass
