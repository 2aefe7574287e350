"""click: a command that ran again replaces its old one; a group that ran again keeps its commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from click import Command, Group

from hotswap._hotswap import peek
from hotswap._plugins import statement_file
from hotswap.integrations._gone import gone_calls
from hotswap.integrations._registrations import (
    Hooks,
    Journal,
    Outcome,
    decorator_keywords,
    definition_of,
    instances,
    is_earlier_run,
)

_SUFFIXES = ("command", "cmd", "group", "grp")


class ClickPlugin:
    """One update's view of the click groups of this process."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._new: set[tuple[int, Any]] = set()
        self._superseded: list[tuple[str | None, Group, str, Command]] = []

    def begin(self) -> None:
        """Notice what the statements of this thread register."""
        _hooks.install(self)

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Put back what was rejected; withdraw what old runs and removed definitions had registered."""
        _hooks.remove()
        outcome = Outcome(report)
        self._journal.end(outcome)
        notes = []
        for file, group, name, successor in self._superseded:
            # By now the engine has put the new command wherever the old one was.
            if not outcome.rejects(file) and group.commands.get(name) is not None and successor.name != name:
                del group.commands[name]
                notes.append(f"click: the command {name} was withdrawn")
        for call in gone_calls(outcome):
            if call.method != "add_command" or not isinstance(call.owner, Group):
                continue
            gone = call.argument(0, "cmd")
            key = call.argument(1, "name") or getattr(gone, "name", None)
            if (id(call.owner), key) not in self._new and call.owner.commands.get(key) is gone:
                del call.owner.commands[key]
                notes.append(f"click: the command {key} was withdrawn")
        for change in outcome.changes:
            if change["kind"] == "function" and change["action"] == "patched":
                _follow_docstring(change["module"], change["qualname"])
        removed = outcome.removed()
        renamed = outcome.renamed()
        if removed or renamed:
            for group in instances(Group):
                for name, command in tuple(group.commands.items()):
                    definition = definition_of(command.callback)
                    if removed and command.callback in removed:
                        del group.commands[name]
                        notes.append(f"click: the command {name} was withdrawn")
                    elif definition in renamed and name == command.name == _command_name(renamed[definition]):
                        command.name = _command_name(definition[1])
                        group.commands = _with_key(group.commands, name, command.name)
        return notes

    def add_command(
        self, original: Callable[..., None], group: Group, cmd: Command, *args: Any, **kwargs: Any
    ) -> None:
        """A command takes the place of those that earlier runs of its definition made."""
        self._journal.touch(group, lambda: [group.commands])
        for name, earlier in tuple(group.commands.items()):
            if name == earlier.name and is_earlier_run(earlier.callback, cmd.callback):
                self._superseded.append((statement_file(), group, name, cmd))
        original(group, cmd, *args, **kwargs)
        self._new.add((id(group), args[0] if args and args[0] else kwargs.get("name") or cmd.name))

    def make_group(self, original: Callable[..., None], group: Group, *args: Any, **kwargs: Any) -> None:
        """A group whose definition ran again has the commands that its old self has now."""
        original(group, *args, **kwargs)
        definition = definition_of(group.callback)
        if definition is None:
            return
        earlier: Any = sys.modules.get(definition[0])
        for name in definition[1].split("."):
            earlier = peek(earlier, name)
        if issubclass(type(earlier), Group) and is_earlier_run(earlier.callback, group.callback):
            for name, command in earlier.commands.items():
                group.commands.setdefault(name, command)


def _follow_docstring(module: str, qualname: str) -> None:
    """The help of a command is its function's docstring, unless its decorator says another one."""
    command: Any = peek(sys.modules.get(module), qualname)
    if not issubclass(type(command), Command):
        return
    written = decorator_keywords(command.callback)
    if written is None or "help" in written:
        return
    command.help = Command(None, help=getattr(command.callback, "__doc__", None)).help


def _command_name(function: str) -> str:
    name = function.rpartition(".")[2].lower().replace("_", "-")
    head, dash, tail = name.rpartition("-")
    return head if dash and tail in _SUFFIXES else name


def _with_key(commands: dict[str, Command], old: str, new: str) -> dict[str, Command]:
    return {new if name == old else name: command for name, command in commands.items()}


_hooks = Hooks()
_hooks.add(Group, "add_command", ClickPlugin.add_command)
_hooks.add(Group, "__init__", ClickPlugin.make_group)
