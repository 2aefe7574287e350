"""prometheus_client: a metric whose statement runs again keeps what it has counted; a removed one goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import CollectorRegistry

from hotswap._hotswap import peek
from hotswap._plugins import statement_file
from hotswap.integrations._registrations import Hooks, Journal, Outcome, instances

_LIBRARY = os.path.dirname(os.__file__) + os.sep


class PrometheusPlugin:
    """One update's view of the metrics of this process."""

    owns = ("prometheus_client",)

    def __init__(self) -> None:
        self._journal = Journal()
        # What a new metric took the place of, with the file whose statement made it.
        self._replaced: list[tuple[str | None, Any, Any]] = []
        self._bound: dict[tuple[str, str], Any] = {}

    def begin(self) -> None:
        """Remember which names hold a metric, and notice what statements register."""
        for module in tuple(sys.modules.values()):
            names = peek(module, "__dict__", {})
            file = names.get("__file__")
            if not file or file.startswith(_LIBRARY) or "site-packages" in file:
                continue
            for name, value in tuple(names.items()):
                if issubclass(type(value), MetricWrapperBase):
                    self._bound[names.get("__name__", ""), name] = value
        _hooks.install(self)

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Put back what was rejected; unregister the metrics whose statement is gone."""
        _hooks.remove()
        outcome = Outcome(report)
        self._journal.end(outcome)
        notes = []
        replaced = {id(old) for file, old, _ in self._replaced if not outcome.rejects(file)}
        for change in outcome.changes:
            old = self._bound.get((change["module"], change["qualname"]))
            if old is None or id(old) in replaced or change["action"] not in ("removed", "re-ran"):
                continue
            now = getattr(sys.modules.get(change["module"]), change["qualname"], None)
            if now is not old and not self._is_bound(old) and _unregister(old):
                notes.append(f"prometheus_client: {_name(old)} was unregistered")
        return notes

    def register(self, original: Callable[..., None], registry: Any, collector: Any) -> None:
        """A metric takes the place of the one of the same name that an earlier run made."""
        self._journal.touch(registry, lambda: _containers(registry))
        if isinstance(collector, MetricWrapperBase):
            for old in {
                registry._names_to_collectors[name]
                for name in registry._get_names(collector)
                if name in registry._names_to_collectors
            }:
                if old not in self._bound.values():
                    continue  # nobody's statement made it: prometheus_client says so
                registry.unregister(old)
                self._replaced.append((statement_file(), old, collector))
                _take_over(old, collector)
        original(registry, collector)

    def _is_bound(self, metric: Any) -> bool:
        return any(getattr(sys.modules.get(module), name, None) is metric for module, name in self._bound)


def _containers(registry: Any) -> Iterable[Any]:
    return [registry._collector_to_names, registry._names_to_collectors]


def _take_over(old: Any, new: Any) -> None:
    """The counts of a metric with the same kind, name and labels."""
    if type(old) is not type(new) or _name(old) != _name(new) or old._labelnames != new._labelnames:
        return
    if getattr(old, "_upper_bounds", None) != getattr(new, "_upper_bounds", None):
        return
    for name in ("_metrics", "_value", "_sum", "_count", "_buckets", "_created", "_lock"):
        if name in old.__dict__:
            new.__dict__[name] = old.__dict__[name]


def _unregister(metric: Any) -> bool:
    registries = [
        registry for registry in _known_registries() if metric in getattr(registry, "_collector_to_names", ())
    ]
    for registry in registries:
        registry.unregister(metric)
    return bool(registries)


def _known_registries() -> list[Any]:
    return instances(CollectorRegistry)


def _name(metric: Any) -> str:
    return str(getattr(metric, "_name", metric))


_hooks = Hooks()
_hooks.add(CollectorRegistry, "register", PrometheusPlugin.register)
