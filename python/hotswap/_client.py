"""Asking processes that watch: which there are, and what they answer."""

from __future__ import annotations

import json
import os
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hotswap import _control, _family
from hotswap._errors import HotswapError

SECONDS = 5.0
"""How long a process may take for an answer."""
LOOK_SECONDS = 1.0
"""The same where many are asked who they are."""


class ControlError(HotswapError):
    """A process could not be asked, or refused; the message says what to do."""


@dataclass(frozen=True)
class Channel:
    """The socket of one process."""

    pid: int
    path: str
    uid: int

    def connect(self, seconds: float = SECONDS) -> socket.socket:
        """A connection to that process, and to no other."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(seconds)
        try:
            connection.connect(self.path)
        except socket.timeout:  # `TimeoutError` from 3.10 on
            connection.close()
            raise ControlError(f"process {self.pid} does not answer") from None
        except OSError:
            connection.close()
            raise ControlError(f"process {self.pid} has ended, or watches no more") from None
        peer = _control.peer_of(connection)
        if peer is not None and peer[1] != self.uid:
            connection.close()
            raise ControlError(f"{self.path} belongs to user {self.uid}, but user {peer[1]} listens there")
        return connection

    def ask(self, seconds: float = SECONDS, **request: Any) -> dict[str, Any]:
        """The answer to one request; raises `ControlError` with the process's words if it refuses."""
        with self.connect(seconds) as connection:
            return next(self.converse(connection, request))

    def follow(self, **request: Any) -> Iterator[dict[str, Any]]:
        """The answer, and then one value for each report, until the process watches no more."""
        with self.connect() as connection:
            for value in self.converse(connection, {**request, "follow": True}):
                connection.settimeout(None)
                yield value

    def converse(self, connection: socket.socket, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a request; the values that come until the other end says that it stops, or is gone."""
        answered = False
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                for line in lines:
                    value = json.loads(line)
                    if not answered and not value.get("ok"):
                        raise ControlError(f"process {self.pid}: {value.get('error', 'it watches no more')}")
                    if value.get("stopped"):
                        return
                    answered = True
                    yield value
        except socket.timeout:
            raise ControlError(
                f"process {self.pid} does not answer: it is stopped, or code in C holds its GIL"
            ) from None
        except (OSError, ValueError) as error:
            raise ControlError(f"the connection to process {self.pid} broke: {error}") from None
        if not answered:
            raise ControlError(f"process {self.pid} has closed the connection: it ends, or lets nobody in")


@dataclass(frozen=True)
class Member:
    """A process that watches, and what it says of itself."""

    channel: Channel
    status: dict[str, Any]
    """Empty for one that did not answer in time."""

    @property
    def pid(self) -> int:
        return self.channel.pid

    @property
    def command(self) -> str:
        """Its command line, as a person would type it."""
        return shlex.join(self.status.get("command", ())) or _command_of(self.pid)


def choose(pid: int | None = None) -> list[Member]:
    """The process that was named, with its family if it is the first of one; else the only family there is.

    `ControlError` says what is to be done where there is none, or more than one.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise ControlError("this system has no Unix sockets that Python can use, so no process can be asked")
    uid = os.geteuid() if pid is None else _owner(pid)
    channels, problems = channels_of(uid)
    if pid is not None:
        if not any(channel.pid == pid for channel in channels):
            raise ControlError(_not_watching(pid, problems))
        members = _families(channels)
        family = next(family for family in members if any(member.pid == pid for member in family))
        return family if family[0].pid == pid else [member for member in family if member.pid == pid]
    families = _families(channels)
    if not families:
        raise ControlError(
            "; ".join(["no process of this user watches", *problems])
            + ". Start a program with `hotswap run`, or call hotswap.watch() in it"
        )
    if len(families) > 1:
        lines = [f"  {family[0].pid}  {family[0].command}" for family in families]
        raise ControlError("\n".join(["there are several programs; name one of these processes:", *lines]))
    return families[0]


def channels_of(uid: int) -> tuple[list[Channel], list[str]]:
    """The sockets of a user's processes, and what was wrong with the places where they might be."""
    found: dict[int, Channel] = {}
    problems = []
    for place in _control.places(uid):
        try:
            problem = _control.unsafe(place, uid)
            names = os.listdir(place)
        except OSError:  # not there
            continue
        if problem is not None:
            problems.append(problem)
            continue
        if uid == os.geteuid():
            _control.clear_stale(place)
        for name in names:
            pid = _control.pid_of(name)
            # A number behind it: of a process in another container, which has its number there.
            if pid is not None and name == f"{pid}.sock" and _control.alive(pid):
                found.setdefault(pid, Channel(pid, os.path.join(place, name), uid))
    return [found[pid] for pid in sorted(found)], problems


def _families(channels: list[Channel]) -> list[list[Member]]:
    members = {}
    for channel in channels:
        try:
            status = channel.ask(LOOK_SECONDS, command="status")["status"]
        except ControlError:
            if not _control.alive(channel.pid) or not _control.answers(channel.path):
                continue
            status = {}
        members[channel.pid] = Member(channel, status)
    parents: dict[int, int] = {}
    for pid, member in members.items():
        while pid > 1 and pid not in parents:
            parents[pid] = _parent_of(pid) or (member.status.get("ppid", 0) if pid == member.pid else 0)
            pid = parents[pid]
    marks = {pid: member.status.get("family", pid) for pid, member in members.items()}
    return [[members[pid] for pid in family] for family in _family.families(parents, marks)]


def _not_watching(pid: int, problems: list[str]) -> str:
    if not _control.alive(pid):
        return f"there is no process {pid}"
    return "; ".join(
        [
            f"process {pid} cannot be asked: it does not run hotswap, or it forbids this "
            "(control = false, HOTSWAP_NO_ATTACH)",
            *problems,
        ]
    )


def _owner(pid: int) -> int:
    """The user of a process. `ControlError` if that is somebody whose processes are none of ours."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            line = next(line for line in file if line.startswith("Uid:"))
        uid = int(line.split()[2])
    except (OSError, StopIteration, ValueError):
        return os.geteuid()
    if os.geteuid() not in (0, uid):
        raise ControlError(f"process {pid} belongs to user {_user_name(uid)}: ask as that user, or as root")
    return uid


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name of the program, in parentheses, may hold anything.
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _command_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return shlex.join(word.decode("utf-8", "replace") for word in file.read().split(b"\0")[:-1])
    except OSError:
        return "?"
