"""What statements of an update put into a framework's containers, and the way back."""

from __future__ import annotations

import _thread
import functools
import gc
import os
import sys
import types

from hotswap._hotswap import peek, restore_order
from hotswap._plugins import statement_file, updating
from hotswap.integrations._later import Later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    import inspect
    from collections.abc import Callable, Iterable, Iterator
    from dataclasses import dataclass
    from typing import Any, TypeVar

    Instance = TypeVar("Instance")
else:
    from hotswap._plain import dataclass

    ast, inspect = Later("ast"), Later("inspect")

Definition = tuple[str, str]
"""Module and qualified name of a definition."""

_MISSING = object()
_DEPTH = 4


class Journal:
    """Notes, per statement of an update, how it changed the containers of the objects it touched."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str | None, Callable[[], Iterable[Any]], list[_Copy]]] = {}
        self._entries: list[tuple[str | None, _Copy, Any]] = []

    def touch(self, owner: object, containers: Callable[[], Iterable[Any]]) -> None:
        """A statement is about to change some of `owner`'s dicts, lists and sets."""
        self._close(id(owner))
        self._open[id(owner)] = (statement_file(), containers, list(_copies(containers())))

    def end(self, outcome: Outcome) -> None:
        """The update is over: what statements of rejected files changed is put back, newest first."""
        for owner in tuple(self._open):
            self._close(owner)
        for file, copy, after in reversed(self._entries):
            if outcome.rejects(file):
                copy.undo(after)

    def _close(self, owner: int) -> None:
        if owner not in self._open:
            return
        file, _, copies = self._open.pop(owner)
        for copy in copies:
            after = copy.read()
            if not _same(copy.before, after):
                self._entries.append((file, copy, after))


class Container:
    """A registry that is no plain container; subclasses say how it is read and written."""

    def __init__(self, registry: Any) -> None:
        self.registry = registry

    def entries(self) -> list[Any]:
        """The entries, in order."""
        raise NotImplementedError

    def put(self, entries: list[Any]) -> None:
        """Make these the entries."""
        raise NotImplementedError


class Reruns:
    """What definitions registered that have run again in an update, before and in it."""

    def __init__(self) -> None:
        self._runs: dict[tuple[int, object], tuple[str | None, Any, list[Any], list[Any]]] = {}

    def note(self, owner: object, definition: object, old: Iterable[Any], new: Iterable[Any]) -> None:
        """A statement of the update registers `new` with `owner`; `old` came from the same definition."""
        run = self._runs.setdefault((id(owner), definition), (statement_file(), owner, [], []))
        seen = {id(entry) for entry in (*run[2], *run[3])}
        run[2].extend(entry for entry in old if id(entry) not in seen)
        run[3].extend(entry for entry in new if id(entry) not in seen)

    def replaced(
        self, outcome: Outcome, alike: Callable[[Any, Any], bool]
    ) -> Iterator[tuple[Any, list[Any], list[Any]]]:
        """The owner, the old entries that the new ones replace, and these.

        Where there are more old ones than new ones, statements of their own may have made some: then
        only those go that are `alike`. What the source has no more is found by `gone_calls`.
        """
        for file, owner, old, new in self._runs.values():
            if outcome.rejects(file):
                continue
            gone = old
            if new and len(new) < len(old):
                gone = [entry for entry in old if any(alike(entry, fresh) for fresh in new)]
            if gone:
                yield owner, gone, new


class Outcome:
    """What became of an update, as plugins need it."""

    def __init__(self, report: dict[str, Any] | None) -> None:
        groups = [] if report is None else report.get("groups", [])
        self._nothing = not any(group["status"] == "applied" for group in groups)
        self._rejected = {
            real_path(file)
            for group in groups
            if group["status"] != "applied"
            for file in group.get("files", ())
        }
        self.applied_files = {
            real_path(file)
            for group in groups
            if group["status"] == "applied"
            for file in group.get("files", ())
        }
        self.changes: list[dict[str, Any]] = [
            change for group in groups if group["status"] == "applied" for change in group.get("changes", ())
        ]

    def rejects(self, file: str | None) -> bool:
        """Whether what a statement of this file did has to be undone."""
        return self._nothing or (file is not None and real_path(file) in self._rejected)

    def removed(self) -> Removed | None:
        """The definitions that are gone; None if there are none."""
        modules = set()
        definitions = set()
        for change in self.changes:
            if change["action"] != "removed":
                continue
            if change["kind"] == "module":
                modules.add(change["module"])
            elif change["kind"] in ("function", "class", "method") and not _lives(change):
                definitions.add((change["module"], change["qualname"]))
        modules = {name for name in modules if name not in sys.modules}
        return Removed(modules, definitions) if modules or definitions else None

    def renamed(self) -> dict[Definition, str]:
        """Definitions that only got another name, by their new one, and the name they had."""
        found = {}
        for change in self.changes:
            if change["action"] == "moved" and change["kind"] in ("function", "class"):
                words = change["reason"].split()
                if words[:2] == ["taken", "for"]:
                    found[change["module"], change["qualname"]] = words[2]
        return found


@dataclass(frozen=True)
class Removed:
    """Definitions that an update took away."""

    modules: set[str]
    definitions: set[Definition]

    def __contains__(self, thing: object) -> bool:
        made_by = definition_of(thing)
        return made_by is not None and (made_by[0] in self.modules or made_by in self.definitions)


class Hooks:
    """Methods of framework classes that are replaced while an update runs, and only then.

    A hook is called with the plugin of the update, the original method and its arguments, and only in the
    thread that updates; everybody else gets the original.
    """

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._hooks: list[tuple[type, str, Callable[..., Any]]] = []
        self._originals: list[tuple[type, str, Any, Any]] = []
        self._wrappers: dict[tuple[type, str, Any], Any] = {}
        self._plugins: dict[int, Any] = {}
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def add(self, owner: type, name: str, hook: Callable[..., Any]) -> None:
        """Replace the method of this name, where the class or a base of it defines one."""
        for base in owner.__mro__:
            if name in base.__dict__:
                if not any(known is base and method == name for known, method, _ in self._hooks):
                    self._hooks.append((base, name, hook))
                return

    def install(self, plugin: object) -> None:
        """An update begins in this thread."""
        with self._lock:
            if not self._plugins:
                for owner, name, hook in self._hooks:
                    original = owner.__dict__[name]
                    key = (owner, name, original)
                    wrapper = self._wrappers.get(key)
                    if wrapper is None:
                        wrapper = self._wrappers[key] = self._wrapper(original, hook)
                    setattr(owner, name, wrapper)
                    self._originals.append((owner, name, original, wrapper))
            self._plugins[_thread.get_ident()] = plugin

    def remove(self) -> None:
        """The update of this thread is over."""
        with self._lock:
            self._plugins.pop(_thread.get_ident(), None)
            if not self._plugins:
                self._restore()

    def _restore(self) -> None:
        for owner, name, original, wrapper in reversed(self._originals):
            if owner.__dict__.get(name) is wrapper:
                setattr(owner, name, original)
        self._originals.clear()

    def _after_fork(self) -> None:
        # The thread that was updating the parent is not here.
        self._lock = _thread.allocate_lock()
        self._plugins.clear()
        self._restore()

    def _wrapper(self, original: Any, hook: Callable[..., Any]) -> Any:
        @functools.wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            plugin = self._plugins.get(_thread.get_ident())
            if plugin is None or not updating():
                return original(*args, **kwargs)
            return hook(plugin, original, *args, **kwargs)

        return method


def definition_of(thing: Any) -> Definition | None:
    """The definition that made this function, class or view; None where that cannot be told."""
    for _ in range(32):
        if isinstance(thing, (functools.partial, functools.partialmethod)):
            thing = thing.func
        elif isinstance(thing, types.MethodType):
            thing = thing.__func__
        else:
            inner = getattr(thing, "__wrapped__", None) or getattr(thing, "view_class", None)
            if inner is None:
                break
            thing = inner
    module = getattr(thing, "__module__", None)
    qualname = getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        return None
    # What a function made is one of many of that name.
    return None if "<" in qualname else (module, qualname)


def decorator_keywords(function: Any) -> set[str] | None:
    """The keywords of the decorators above a function; None where the source does not show any."""
    try:
        source = inspect.getsource(inspect.unwrap(function))
        tree = ast.parse(inspect.cleandoc("if 1:\n" + source) if source[:1].isspace() else source)
    except (OSError, TypeError, ValueError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            calls = [part for part in node.decorator_list if isinstance(part, ast.Call)]
            routes = [call for call in calls if isinstance(call.func, ast.Attribute)]
            if not routes or any(keyword.arg is None for call in routes for keyword in call.keywords):
                return None
            return {keyword.arg for call in routes for keyword in call.keywords if keyword.arg}
    return None


def is_defined(definition: Definition | None) -> bool:
    """Whether the source on disk still has this definition, of a function or class."""
    if definition is None:
        return False
    module, qualname = definition
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        with open(file, "rb") as source:  # type: ignore[arg-type]
            body: list[Any] = ast.parse(source.read()).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return True
    for name in qualname.split("."):
        found = [node for node in _definitions(body) if node.name == name]
        if not found:
            return False
        body = found[-1].body
    return True


def instances(*kinds: type[Instance]) -> list[Instance]:
    """All live instances of these classes. The heap is searched: for the rare update that needs it."""
    classes: list[type] = list(kinds)
    for known in classes:
        below: list[type] = type.__subclasses__(known)
        classes += [kind for kind in below if kind not in classes]
    # `isinstance` would ask a proxy what it stands for.
    found = {id(thing): thing for thing in gc.get_referrers(*classes) if issubclass(type(thing), kinds)}
    for module in tuple(sys.modules.values()):  # where the program froze its heap
        for thing in tuple(peek(module, "__dict__", {}).values()):
            if type(thing) in classes:
                found[id(thing)] = thing
    return list(found.values())


class _Copy:
    """A container, and its content before a statement ran."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.before = self.read()

    def read(self) -> Any:
        container = self.container
        return container.entries() if isinstance(container, Container) else _plain_copy(container)

    def undo(self, after: Any) -> None:
        """What the statement added goes, what it took away returns; what others did since stays."""
        before, container = self.before, self.container
        if isinstance(before, dict):
            for key in {**before, **after}:
                was, became = before.get(key, _MISSING), after.get(key, _MISSING)
                if was is became or container.get(key, _MISSING) is not became:
                    continue
                if was is _MISSING:
                    del container[key]
                else:
                    container[key] = was
            if type(container) is dict:
                restore_order(container, before)
        elif isinstance(before, set):
            container -= after - before
            container |= before - after
        else:
            now = self.read()
            entries = undone(before, after, now)
            if isinstance(container, Container):
                if not _same(entries, now):
                    container.put(entries)
            else:
                container[:] = entries


def is_earlier_run(old: Any, new: Any) -> bool:
    """Whether two different objects come from one definition, which then has run again."""
    if old is None or new is None or old is new:
        return False
    definition = definition_of(old)
    return definition is not None and definition == definition_of(new)


def replaced(entries: list[Any], old: list[Any], new: list[Any]) -> list[Any]:
    """The entries with the new ones where the first of the old ones was, and without the old ones."""
    gone = {id(entry) for entry in old}
    moved = gone | {id(entry) for entry in new}
    result: list[Any] = []
    there = {id(entry) for entry in entries}
    for entry in entries:
        if id(entry) in gone:
            result += [fresh for fresh in new if id(fresh) in there]
            new = []
        elif id(entry) not in moved:
            result.append(entry)
    return result + new


def undone(before: list[Any], after: list[Any], now: list[Any]) -> list[Any]:
    """`now` without what was added from `before` to `after`, and with what was lost."""
    was = {id(item) for item in before}
    became = {id(item) for item in after}
    entries = [item for item in now if id(item) in was or id(item) not in became]
    there = {id(item) for item in entries}
    for index, item in enumerate(before):
        if id(item) not in became and id(item) not in there:
            entries.insert(index, item)
    return entries


def _copies(containers: Iterable[Any]) -> Iterator[_Copy]:
    seen: set[int] = set()
    level = list(containers)
    for _ in range(_DEPTH):
        deeper: list[Any] = []
        for container in level:
            if id(container) in seen or not issubclass(type(container), (dict, list, set, Container)):
                continue
            seen.add(id(container))
            yield _Copy(container)
            if isinstance(container, dict):
                deeper += container.values()
            elif isinstance(container, list):
                deeper += container
        level = deeper


def _plain_copy(container: Any) -> Any:
    for kind in (dict, set):
        if isinstance(container, kind):
            return kind(container)
    return list(container)


def _same(one: Any, other: Any) -> bool:
    """Whether two copies hold the same objects; nothing of the program's is called to compare them."""
    if len(one) != len(other):
        return False
    if isinstance(one, dict):
        return all(other.get(key, _MISSING) is value for key, value in one.items())
    if isinstance(one, set):
        return bool(one == other)
    return all(item is twin for item, twin in zip(one, other))


def _definitions(body: list[Any]) -> Iterator[Any]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            for part in ("body", "orelse", "finalbody"):
                yield from _definitions(getattr(node, part, []))
            for handler in getattr(node, "handlers", ()):
                yield from _definitions(handler.body)


def _lives(change: dict[str, Any]) -> bool:
    thing: Any = sys.modules.get(change["module"])
    for name in change["qualname"].split("."):
        thing = peek(thing, name)
        if thing is None:
            return False
    return True


def real_path(file: str) -> str:
    """The file's one name, by which it is compared."""
    return os.path.normcase(os.path.realpath(file))
