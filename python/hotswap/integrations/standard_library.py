"""The registries of the standard library that no container shows: exit functions, signals, log handlers."""

from __future__ import annotations

import atexit
import gc
import sys
import types

from hotswap._main_thread import is_main_thread
from hotswap.integrations._gone import UNKNOWN, GoneCall, gone_calls, value_of
from hotswap.integrations._later import Later
from hotswap.integrations._registrations import Hooks, Journal, Outcome, definition_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    import logging
    import signal
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any
else:
    ast, logging, signal = Later("ast"), Later("logging"), Later("signal")


class AtexitPlugin:
    """Exit functions go with the statement that registered them."""

    owns = ("atexit",)

    def begin(self) -> None:
        """Nothing to prepare."""

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Withdraw the exit functions whose statement is gone."""
        notes = []
        for call in gone_calls(Outcome(report)):
            if (call.owner is atexit and call.method == "register") or call.owner is atexit.register:
                notes += _unregister(call)
        return notes


def _unregister(call: GoneCall) -> list[str]:
    if call.definition is None:
        function = call.argument(0, "func")
        found = [] if function is None else [function]
        written = call.node.args[0] if isinstance(call.node, ast.Call) and call.node.args else None
        if not found and isinstance(written, ast.Name):  # its definition is gone as well
            found = _alive((call.namespace.get("__name__", ""), written.id))
    else:
        found = _alive(call.definition)
    if not found:
        return [f"atexit: what `{ast.unparse(call.node)}` had registered cannot be told, and will be called"]
    for function in found:
        again = list(_still_registered(call, function))
        if UNKNOWN in again:
            return [
                f"atexit: {_name(function)} is called for the removed statement too: arguments are computed"
            ]
        atexit.unregister(function)
        # `unregister` takes them all: those that the source still has come back, in its order.
        for arguments, keywords in again:
            atexit.register(function, *arguments, **keywords)
    return [f"atexit: {_name(found[0])} is not called for the removed statement"]


def _alive(definition: tuple[str, str]) -> list[Any]:
    """The functions of a definition; the exit functions are no container that could be searched."""
    return [
        thing
        for thing in gc.get_objects()
        if type(thing) is types.FunctionType and definition_of(thing) == definition
    ]


def _still_registered(call: GoneCall, function: Any) -> Iterator[Any]:
    for node in call.statements:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called, arguments = node.value, node.value.args
            if not arguments or value_of(arguments[0], call.namespace) is not function:
                continue
            if _is_register(called.func, call.namespace):
                values = [value_of(argument, call.namespace) for argument in arguments[1:]]
                keywords = {
                    key.arg: value_of(key.value, call.namespace) for key in called.keywords if key.arg
                }
                unknown = UNKNOWN in values or UNKNOWN in keywords.values()
                yield UNKNOWN if unknown else (values, keywords)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            marks = [mark for mark in node.decorator_list if _is_register(mark, call.namespace)]
            if call.namespace.get(node.name) is function:
                yield from (([], {}) for _ in marks)


def _is_register(node: Any, namespace: dict[str, Any]) -> bool:
    return value_of(node, namespace) is atexit.register


class SignalPlugin:
    """A signal whose handler's statement is gone does again what it does in a new process."""

    owns = ("signal",)

    def begin(self) -> None:
        """Nothing to prepare."""

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Take away the handlers whose statement is gone."""
        notes = []
        for call in gone_calls(Outcome(report)):
            if not (
                (call.owner is sys.modules.get("signal") and call.method == "signal")
                or call.owner is signal.signal
            ):
                continue
            number, handler = call.argument(0, "signalnum"), call.argument(1, "handler")
            if number is None or handler is None or signal.getsignal(number) is not handler:
                continue  # another statement has set it, or the program itself
            if any(_sets(node, number, call.namespace) for node in call.statements):
                continue
            name = signal.Signals(number).name
            if not is_main_thread():
                notes.append(f"signal: {name} keeps {_name(handler)}: only the main thread can take it away")
                continue
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
            notes.append(f"signal: {name} is handled by {_name(handler)} no more")
        return notes


def _sets(node: Any, number: Any, namespace: dict[str, Any]) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and node.value.args):
        return False
    call = node.value
    return value_of(call.func, namespace) is signal.signal and value_of(call.args[0], namespace) == number


class LoggingPlugin:
    """Handlers and filters of loggers go with the statement that added them."""

    owns = ("logging",)

    def __init__(self) -> None:
        self._journal = Journal()
        self._new: list[Any] = []

    def begin(self) -> None:
        """Notice what the statements of this thread add."""
        _logging_hooks().install(self)

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Put back what was rejected; close and remove the handlers whose statement is gone."""
        _logging_hooks().remove()
        outcome = Outcome(report)
        self._journal.end(outcome)
        notes = []
        for call in gone_calls(outcome):
            if isinstance(call.owner, logging.Filterer) and call.method in ("addHandler", "addFilter"):
                notes += self._undo(call)
        return notes

    def add(self, original: Callable[..., None], owner: Any, thing: Any) -> None:
        """`addHandler` and `addFilter`."""
        self._journal.touch(owner, lambda: [owner.filters, getattr(owner, "handlers", [])])
        original(owner, thing)
        self._new.append(thing)

    def _undo(self, call: GoneCall) -> list[str]:
        held = call.owner.filters if call.method == "addFilter" else call.owner.handlers
        old = [thing for thing in held if not any(thing is new for new in self._new)]
        written = call.node.args[0] if call.node.args else None
        found = [thing for thing in old if thing is value_of(written, call.namespace)]
        if not found and isinstance(written, ast.Call):
            kind = value_of(written.func, call.namespace)
            found = [thing for thing in old if type(thing) is kind]
        name = getattr(call.owner, "name", "?")
        if len(found) != 1:
            return [f"logging: what `{ast.unparse(call.node)}` had added to {name} cannot be told and stays"]
        gone = found[0]
        fresh = [thing for thing in held if any(thing is new for new in self._new)]
        # A new list: other threads are going through the old one.
        kept = [thing for thing in held if thing is not gone and not any(thing is new for new in fresh)]
        at = [thing for thing in held if not any(thing is new for new in fresh)].index(gone)
        now = kept[:at] + fresh + kept[at:]
        if call.method == "addFilter":
            call.owner.filters = now
        else:
            call.owner.handlers = now
            if not isinstance(written, ast.Name):
                gone.close()
        return [f"logging: {name} has lost the {type(gone).__name__} of the removed statement"]


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


_hooks: list[Hooks] = []


def _logging_hooks() -> Hooks:
    if not _hooks:
        hooks = Hooks()
        hooks.add(logging.Logger, "addHandler", LoggingPlugin.add)
        hooks.add(logging.Filterer, "addFilter", LoggingPlugin.add)
        _hooks.append(hooks)
    return _hooks[0]
