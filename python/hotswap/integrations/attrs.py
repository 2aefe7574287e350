"""attrs: live instances get the attributes that were added to their class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attr

from hotswap.integrations._made_anew import classes_made_anew, fill_in, with_subclasses
from hotswap.integrations._registrations import Outcome


class AttrsPlugin:
    """One update's view of the classes that attrs has made."""

    owns = ()

    def begin(self) -> None:
        """Nothing of attrs is in the way of an update."""

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Give instances of classes that were made anew what a fresh one has."""
        made = [kind for kind in classes_made_anew(Outcome(report)) if attr.has(kind)]
        return fill_in(with_subclasses(made), _fields, object.__setattr__)


def _fields(kind: type) -> dict[str, Callable[[Any], Any] | None]:
    if not attr.has(kind):
        return {}
    return {field.name: _maker(field.default) for field in attr.fields(kind)}


def _maker(default: Any) -> Callable[[Any], Any] | None:
    if default is attr.NOTHING:
        return None
    factory_class: Any = attr.Factory
    if isinstance(default, factory_class):
        factory: Any = default
        return factory.factory if factory.takes_self else lambda thing: factory.factory()
    return lambda thing: default
