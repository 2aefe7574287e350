"""typer: a command that ran again takes its old one's place; removed ones go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from typer import Typer

from hotswap._plugins import statement_file
from hotswap.integrations._gone import GoneCall, gone_calls
from hotswap.integrations._registrations import (
    Container,
    Hooks,
    Journal,
    Outcome,
    definition_of,
    instances,
    is_earlier_run,
    replaced,
)


class TyperPlugin:
    """One update's view of the typer applications of this process."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._replaced: list[tuple[str | None, list[Any], list[Any], Any]] = []
        self._new: set[int] = set()

    def begin(self) -> None:
        """Notice what the statements of this thread register."""
        _hooks.install(self)

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Put back what was rejected; withdraw what old runs and removed definitions had registered."""
        _hooks.remove()
        outcome = Outcome(report)
        self._journal.end(outcome)
        for file, entries, old, new in self._replaced:
            if not outcome.rejects(file):
                entries[:] = replaced(entries, old, [new])
        notes = []
        for call in gone_calls(outcome):
            if isinstance(call.owner, Typer):
                self._undo_call(call)
        removed = outcome.removed()
        if removed:
            for app in instances(Typer):
                for info in tuple(app.registered_commands):
                    if info.callback in removed:
                        app.registered_commands.remove(info)
                        name = getattr(info.callback, "__name__", "?")
                        notes.append(f"typer: the command of {name} was withdrawn")
                if app.registered_callback is not None and app.registered_callback.callback in removed:
                    app.registered_callback = None
        return notes

    def register(
        self, original: Callable[..., Any], app: Typer, *args: Any, **kwargs: Any
    ) -> Callable[[Any], Any]:
        """`Typer.command` and `Typer.callback`, which return the decorator that registers."""
        decorate = original(app, *args, **kwargs)

        def decorator(function: Any) -> Any:
            self._touch(app)
            earlier = list(app.registered_commands)
            result = decorate(function)
            for info in app.registered_commands[len(earlier) :]:
                same = [old for old in earlier if is_earlier_run(old.callback, info.callback)]
                self._supersede(app.registered_commands, info, same)
            return result

        return decorator

    def add_typer(self, original: Callable[..., None], app: Typer, *args: Any, **kwargs: Any) -> None:
        """An application that is added once more is there once."""
        self._touch(app)
        earlier = list(app.registered_groups)
        original(app, *args, **kwargs)
        for info in app.registered_groups[len(earlier) :]:
            same = [old for old in earlier if old.typer_instance is info.typer_instance]
            self._supersede(app.registered_groups, info, same)

    def _undo_call(self, call: GoneCall) -> None:
        app = call.owner
        for info in tuple(app.registered_commands) if call.method == "command" else ():
            if id(info) not in self._new and definition_of(info.callback) == call.definition:
                app.registered_commands.remove(info)
        for info in tuple(app.registered_groups) if call.method == "add_typer" else ():
            if id(info) not in self._new and info.typer_instance is call.argument(0, "typer_instance"):
                app.registered_groups.remove(info)

    def _touch(self, app: Typer) -> None:
        self._journal.touch(app, lambda: [app.registered_commands, app.registered_groups, _Callback(app)])

    def _supersede(self, entries: list[Any], new: Any, old: list[Any]) -> None:
        old = [info for info in old if id(info) not in self._new]
        self._new.add(id(new))
        if old:
            self._replaced.append((statement_file(), entries, old, new))


class _Callback(Container):
    """What runs before the commands of an application."""

    def entries(self) -> list[Any]:
        return [self.registry.registered_callback]

    def put(self, entries: list[Any]) -> None:
        self.registry.registered_callback = entries[0]


_hooks = Hooks()
_hooks.add(Typer, "command", TyperPlugin.register)
_hooks.add(Typer, "callback", TyperPlugin.register)
_hooks.add(Typer, "add_typer", TyperPlugin.add_typer)
