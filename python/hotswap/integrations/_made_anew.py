"""Classes that an update made anew, for plugins of libraries that generate classes from fields."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hotswap._hotswap import peek
from hotswap.integrations._registrations import Outcome, instances


def classes_made_anew(outcome: Outcome) -> Iterator[type]:
    """The classes that are in force where the update ran a class statement again."""
    for change in outcome.changes:
        if change["kind"] != "class" or change["action"] != "re-ran":
            continue
        found: Any = sys.modules.get(change["module"])
        for name in change["qualname"].split("."):
            found = peek(found, "__dict__", {}).get(name)
        if issubclass(type(found), type):
            yield found


def with_subclasses(classes: Iterable[type]) -> list[type]:
    """These classes and all below them, each once."""
    found = list(dict.fromkeys(classes))
    for known in found:
        below: list[type] = type.__subclasses__(known)
        found += [kind for kind in below if kind not in found]
    return found


def fill_in(
    classes: Iterable[type],
    missing: Callable[[type], dict[str, Callable[[Any], Any] | None]],
    give: Callable[[Any, str, Any], None],
) -> list[str]:
    """Give live instances the fields they lack; returns notes about those that nothing can be made for.

    `missing` gives the fields of a class and, for each, what makes its value for an instance.
    """
    notes = []
    kinds = list(classes)
    thing: Any
    for thing in instances(*kinds) if kinds else ():
        kind = type(thing)
        for name, make in missing(kind).items():
            try:
                object.__getattribute__(thing, name)
            except AttributeError:
                pass
            else:
                continue
            if make is None:
                note = (
                    f"{kind.__module__}.{kind.__qualname__}.{name}: live instances lack it, it has no default"
                )
                if note not in notes:
                    notes.append(note)
                continue
            try:
                give(thing, name, make(thing))
            except Exception as error:  # a factory of the program, or its class
                notes.append(
                    f"{kind.__module__}.{kind.__qualname__}.{name} was not given to an instance: {error!r}"
                )
    return notes
