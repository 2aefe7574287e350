"""Flask: routes and hooks come and go after the first request; what ran again replaces its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Blueprint, Flask
from flask.blueprints import BlueprintSetupState
from flask.views import MethodView, http_method_funcs

from hotswap._plugins import statement_file
from hotswap.integrations._gone import GoneCall, gone_calls
from hotswap.integrations._registrations import (
    Container,
    Hooks,
    Journal,
    Outcome,
    Removed,
    Reruns,
    definition_of,
    instances,
    is_defined,
    is_earlier_run,
)

_REGISTRIES = (
    "view_functions",
    "error_handler_spec",
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "template_context_processors",
    "url_value_preprocessors",
    "url_default_functions",
    # of applications
    "teardown_appcontext_funcs",
    "shell_context_processors",
    "url_build_error_handlers",
    "blueprints",
    "extensions",
    # of blueprints
    "deferred_functions",
    "_blueprints",
)
_ROUTING = ("add_url_rule", "route", "get", "post", "put", "delete", "patch")
_HOOKS = {
    "before_request": "before_request_funcs",
    "after_request": "after_request_funcs",
    "teardown_request": "teardown_request_funcs",
    "teardown_appcontext": "teardown_appcontext_funcs",
    "context_processor": "template_context_processors",
    "errorhandler": "error_handler_spec",
}
"""Decorators of applications, and where they put the function."""
_MERGED = (
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "url_default_functions",
    "url_value_preprocessors",
    "template_context_processors",
)
"""What an application copies from a blueprint that is registered on it."""


class FlaskPlugin:
    """One update's view of the Flask applications of this process."""

    def __init__(self) -> None:
        self._journal = Journal()
        # Rules, and functions that blueprints deferred, whose definition has run again, with its file.
        self._superseded: list[tuple[str | None, Flask, Any]] = []
        self._rules = Reruns()
        self._deferred = Reruns()
        self._new_rules: set[int] = set()
        self._new_deferred: set[int] = set()
        self._touched: list[Blueprint] = []
        self._merged: dict[int, dict[str, dict[Any, list[Any]]]] = {}

    def begin(self) -> None:
        """Let the statements of this thread register."""
        _hooks.install(self)

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Put back what was rejected; withdraw what old runs and removed definitions had registered."""
        _hooks.remove()
        outcome = Outcome(report)
        self._journal.end(outcome)
        notes: list[str] = []
        for app, rules in self._withdrawn(outcome):
            notes += _withdraw(app, rules)
        for blueprint, old, _ in self._deferred.replaced(outcome, _is_same_deferred):
            blueprint.deferred_functions[:] = [
                function for function in blueprint.deferred_functions if function not in old
            ]
        if any(not outcome.rejects(None) for _ in self._touched):
            self._merge_blueprints()
        for call in gone_calls(outcome):
            notes += self._undo_call(call)
        removed = outcome.removed()
        renamed = outcome.renamed()
        views = {
            (change["module"], change["qualname"].rpartition(".")[0])
            for change in outcome.changes
            if change["kind"] in ("method", "attribute") and change["action"] in ("added", "removed")
        }
        if removed or renamed or views:
            for app in instances(Flask):
                _follow_methods(app, views)
                if removed:
                    notes += _forget(app, removed)
                for definition, name in renamed.items():
                    _rename(app, definition, name)
            if removed:
                for blueprint in instances(Blueprint):
                    _forget_deferred(blueprint, removed)
        return notes

    def touch(self, owner: Flask | Blueprint) -> None:
        """A setup method of this application or blueprint was called."""
        self._journal.touch(owner, lambda: _containers(owner))
        if isinstance(owner, Blueprint) and id(owner) not in self._merged:
            self._touched.append(owner)
            self._merged[id(owner)] = {
                name: {key: list(functions) for key, functions in getattr(owner, name, {}).items()}
                for name in _MERGED
            }

    def add_url_rule(
        self, original: Callable[..., None], app: Flask, rule: str, *args: Any, **kwargs: Any
    ) -> None:
        """A rule may take over the endpoint of its definition's earlier run."""
        self.touch(app)
        endpoint, view = _endpoint_and_view(*args, **kwargs)
        known = {id(rule) for rule in app.url_map.iter_rules()}
        previous = app.view_functions.get(endpoint)
        if view is not None and previous is not None and previous != view:
            if definition_of(previous) != definition_of(view) and is_defined(definition_of(previous)):
                # Two definitions want one endpoint: Flask says so.
                original(app, rule, *args, **kwargs)
                return
            old = self._old_rules(app, lambda rule: rule.endpoint == endpoint)
            app.view_functions[endpoint] = view
        else:
            views = app.view_functions
            old = self._old_rules(app, lambda rule: is_earlier_run(views.get(rule.endpoint), view))
        try:
            original(app, rule, *args, **kwargs)
        except BaseException:
            if previous is not None:
                app.view_functions[endpoint] = previous
            raise
        new = [rule for rule in app.url_map.iter_rules() if id(rule) not in known]
        self._new_rules |= {id(rule) for rule in new}
        self._rules.note(app, definition_of(view) or endpoint, old, new)

    def record(
        self, original: Callable[..., None], blueprint: Blueprint, function: Callable[[Any], Any]
    ) -> None:
        """What is added to a blueprint reaches the applications that have it."""
        self.touch(blueprint)
        new = _deferred_rule(function)
        if new is not None:
            old = [
                earlier
                for earlier in blueprint.deferred_functions
                if id(earlier) not in self._new_deferred
                and is_earlier_run((_deferred_rule(earlier) or {}).get("view_func"), new["view_func"])
            ]
            self._deferred.note(blueprint, definition_of(new["view_func"]) or id(function), old, [function])
        original(blueprint, function)
        self._new_deferred.add(id(function))
        if getattr(blueprint, "_got_registered_once", False):
            for app in instances(Flask):
                for name, known in tuple(app.blueprints.items()):
                    if known is blueprint:
                        self.touch(app)
                        function(_setup_state(app, name, blueprint))

    def register(
        self, original: Callable[..., None], blueprint: Blueprint, app: Flask, options: dict[str, Any]
    ) -> None:
        """A registration that ran again takes the place of the earlier one."""
        self.touch(app)
        name = f"{options.get('name_prefix', '')}.{options.get('name', blueprint.name)}".lstrip(".")
        if app.blueprints.get(name) is blueprint:
            prefix = f"{name}."
            file = statement_file()
            earlier = self._old_rules(app, lambda rule: rule.endpoint.startswith(prefix))
            self._superseded += [(file, app, rule) for rule in earlier]
            for known in [known for known in app.blueprints if known == name or known.startswith(prefix)]:
                del app.blueprints[known]
                for registry in _MERGED:
                    getattr(app, registry, {}).pop(known, None)
        original(blueprint, app, options)

    def _undo_call(self, call: GoneCall) -> list[str]:
        """What a decorator or statement had registered that the source has no more."""
        owner = call.owner
        if call.method in _ROUTING and isinstance(owner, (Flask, Blueprint)):
            view = call.argument(2, "view_func")
            name = call.definition[1] if call.definition else getattr(view, "__name__", None)
            endpoint = call.argument(1 if call.method == "add_url_rule" else 99, "endpoint") or name
            rule = call.argument(0, "rule")
            if isinstance(owner, Flask):
                return self._withdraw_one(owner, endpoint, lambda full: full == rule)
            return self._undo_blueprint_rule(owner, rule, endpoint)
        if call.method == "register_blueprint" and isinstance(owner, Flask):
            return self._unregister(owner, call.argument(0, "blueprint"), call.argument(99, "url_prefix"))
        if call.method in _HOOKS and isinstance(owner, (Flask, Blueprint)) and call.definition:
            registry = getattr(owner, _HOOKS[call.method], None)
            if call.method == "errorhandler":
                error = call.argument(0, "code_or_exception")
                codes = registry.get(None, {})  # type: ignore[union-attr]
                code, kind = error, None
                if not isinstance(error, int):
                    code, kind = getattr(error, "code", None), error
                registry = codes.get(code, {})
                if isinstance(kind, type):
                    registry = _Only(registry, kind)
            removed = Removed(set(), {call.definition})
            _drop(registry, removed)
            if isinstance(owner, Blueprint):
                self._drop_merged(owner, _HOOKS[call.method], removed)
            return [f"flask: {call.definition[1]} is no {call.method} any more"]
        return []

    def _drop_merged(self, blueprint: Blueprint, registry: str, removed: Removed) -> None:
        """What applications had copied from a blueprint that has it no more."""
        for app in instances(Flask):
            for name, known in app.blueprints.items():
                if known is blueprint:
                    _drop(getattr(app, registry, {}).get(name), removed)

    def _unregister(self, app: Flask, blueprint: Any, prefix: Any) -> list[str]:
        notes = []
        for name in [name for name, known in app.blueprints.items() if known is blueprint]:
            own = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(f"{name}.")]
            rules = [rule for rule in own if id(rule) not in self._new_rules]
            if not rules or (
                isinstance(prefix, str) and not all(rule.rule.startswith(prefix) for rule in rules)
            ):
                continue
            if len(rules) < len(own):  # registered anew by another statement
                continue
            notes += _withdraw(app, rules)
            del app.blueprints[name]
            for registry in _MERGED:
                getattr(app, registry, {}).pop(name, None)
            app.error_handler_spec.pop(name, None)
        return notes

    def _undo_blueprint_rule(self, blueprint: Blueprint, rule: Any, endpoint: Any) -> list[str]:
        notes = []
        for app in instances(Flask):
            for name, known in tuple(app.blueprints.items()):
                if known is blueprint and isinstance(rule, str):
                    notes += self._withdraw_one(
                        app, f"{name}.{endpoint}", lambda full: _prefix(full, rule) is not None
                    )
        for function in tuple(blueprint.deferred_functions):
            written = _deferred_rule(function)
            if written is None or id(function) in self._new_deferred or written["rule"] != rule:
                continue
            if endpoint == (written["endpoint"] or getattr(written["view_func"], "__name__", None)):
                blueprint.deferred_functions.remove(function)
                break
        return notes

    def _withdraw_one(self, app: Flask, endpoint: Any, is_rule: Callable[[str], bool]) -> list[str]:
        for known in app.url_map.iter_rules():
            if known.endpoint == endpoint and is_rule(known.rule) and id(known) not in self._new_rules:
                return _withdraw(app, [known])
        return []

    def _old_rules(self, app: Flask, which: Callable[[Any], bool]) -> list[Any]:
        return [rule for rule in app.url_map.iter_rules() if id(rule) not in self._new_rules and which(rule)]

    def _withdrawn(self, outcome: Outcome) -> Iterator[tuple[Flask, list[Any]]]:
        for file, app, rule in self._superseded:
            if not outcome.rejects(file):
                yield app, [rule]
        for app, old, _ in self._rules.replaced(outcome, _is_same_rule):
            yield app, old

    def _merge_blueprints(self) -> None:
        """Hooks that were added to a registered blueprint go where registering would have put them."""
        registered = [known for known in self._touched if getattr(known, "_got_registered_once", False)]
        if not registered:
            return
        for app in instances(Flask):
            for name, blueprint in app.blueprints.items():
                if not any(blueprint is touched for touched in registered):
                    continue
                before = self._merged[id(blueprint)]
                for registry in _MERGED:
                    for key, functions in getattr(blueprint, registry, {}).items():
                        target = getattr(app, registry)[name if key is None else f"{name}.{key}"]
                        old = before[registry].get(key, [])
                        target += [f for f in functions if f not in old and f not in target]
                for key, codes in blueprint.error_handler_spec.items():
                    target = app.error_handler_spec[name if key is None else f"{name}.{key}"]
                    for code, handlers in codes.items():
                        target[code].update(handlers)


def _is_same_rule(old: Any, new: Any) -> bool:
    return bool((old.rule, old.endpoint, old.methods) == (new.rule, new.endpoint, new.methods))


def _is_same_deferred(old: Any, new: Any) -> bool:
    one, two = _deferred_rule(old), _deferred_rule(new)
    return one is not None and two is not None and all(one[key] == two[key] for key in ("rule", "endpoint"))


class _Rules(Container):
    """The rules of an application."""

    def entries(self) -> list[Any]:
        return list(self.registry.iter_rules())

    def put(self, entries: list[Any]) -> None:
        _set_rules(self.registry, entries)


def _containers(owner: Flask | Blueprint) -> Iterator[Any]:
    for name in _REGISTRIES:
        yield getattr(owner, name, None)
    if isinstance(owner, Flask):
        yield _Rules(owner.url_map)
        environment = owner.__dict__.get("jinja_env")
        if environment is not None:
            yield from (environment.filters, environment.tests, environment.globals)


def _endpoint_and_view(
    endpoint: str | None = None, view_func: Any = None, *args: Any, **kwargs: Any
) -> tuple[str | None, Any]:
    return endpoint or getattr(view_func, "__name__", None), view_func


def _deferred_rule(function: Any) -> dict[str, Any] | None:
    """The arguments of the `add_url_rule` that a blueprint put off in this function."""
    if getattr(function, "__qualname__", "") != "Blueprint.add_url_rule.<locals>.<lambda>":
        return None
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    try:
        return {name: cell.cell_contents for name, cell in cells.items()}
    except ValueError:
        return None


def _setup_state(app: Flask, name: str, blueprint: Blueprint) -> BlueprintSetupState:
    """How the blueprint was registered, which Flask forgets, read off the rules that came of it."""
    name_prefix, _, own_name = name.rpartition(".")
    options: dict[str, Any] = {"name": own_name, "name_prefix": name_prefix}
    for function in blueprint.deferred_functions:
        written = _deferred_rule(function)
        if written is None:
            continue
        endpoint = written["endpoint"] or getattr(written["view_func"], "__name__", "")
        for rule in app.url_map.iter_rules():
            prefix = _prefix(rule.rule, written["rule"])
            if rule.endpoint == f"{name}.{endpoint}" and prefix is not None:
                options["url_prefix"] = prefix or None
                options["subdomain"] = rule.subdomain or None
                own = (written.get("options") or {}).get("defaults") or {}
                defaults = rule.defaults or {}
                options["url_defaults"] = {key: defaults[key] for key in defaults if key not in own}
                return blueprint.make_setup_state(app, options, first_registration=True)
    return blueprint.make_setup_state(app, options, first_registration=True)


def _prefix(full: str, rule: str) -> str | None:
    if not rule:
        return full
    tail = "/" + rule.lstrip("/")
    return full[: -len(tail)] if full.endswith(tail) else None


def _withdraw(app: Flask, rules: list[Any]) -> list[str]:
    gone = {id(rule) for rule in rules}
    now = list(app.url_map.iter_rules())
    kept = [rule for rule in now if id(rule) not in gone]
    if len(kept) == len(now):
        return []
    _set_rules(app.url_map, kept)
    served = {rule.endpoint for rule in kept}
    for endpoint in {rule.endpoint for rule in rules} - served:
        app.view_functions.pop(endpoint, None)
    same = {(rule.rule, rule.endpoint) for rule in kept}
    return [
        f"flask: the rule {rule.rule} of {rule.endpoint} was withdrawn"
        for rule in now
        if id(rule) in gone and (rule.rule, rule.endpoint) not in same
    ]


def _set_rules(url_map: Any, rules: list[Any]) -> None:
    """Make these the rules of a map that other threads are matching against."""
    matcher = type(url_map._matcher)(url_map.merge_slashes)
    by_endpoint: dict[Any, list[Any]] = {}
    for rule in rules:
        if not rule.build_only:
            matcher.add(rule)
        by_endpoint.setdefault(rule.endpoint, []).append(rule)
    matcher.update()
    for same in by_endpoint.values():
        same.sort(key=lambda rule: rule.build_compare_key())
    url_map._matcher = matcher
    url_map._rules_by_endpoint = by_endpoint


def _forget(app: Flask, removed: Removed) -> list[str]:
    endpoints = {endpoint for endpoint, view in app.view_functions.items() if view in removed}
    notes = _withdraw(app, [rule for rule in app.url_map.iter_rules() if rule.endpoint in endpoints])
    for container in _containers(app):
        _drop(container, removed)
    return notes


class _Only:
    """The handlers of one kind of error."""

    def __init__(self, handlers: dict[Any, Any], kind: type) -> None:
        self.handlers = handlers
        self.kind = kind


def _drop(container: Any, removed: Removed) -> None:
    if isinstance(container, _Only):
        handler = container.handlers.get(container.kind)
        if handler is not None and handler in removed:
            del container.handlers[container.kind]
        return
    if isinstance(container, dict):
        for key, value in tuple(container.items()):
            if isinstance(value, (dict, list)):
                _drop(value, removed)
            elif callable(value) and value in removed:
                del container[key]
    elif isinstance(container, list) and any(callable(item) and item in removed for item in container):
        container[:] = [item for item in container if item not in removed]


def _forget_deferred(blueprint: Blueprint, removed: Removed) -> None:
    for function in tuple(blueprint.deferred_functions):
        written = _deferred_rule(function)
        if written is not None and written["view_func"] in removed:
            blueprint.deferred_functions.remove(function)
    for name in _MERGED:
        _drop(getattr(blueprint, name, None), removed)


def _follow_methods(app: Flask, views: set[tuple[str, str]]) -> None:
    """A class of views that gained or lost `get`, `post` and the like answers to what it has now."""
    changed = False
    for endpoint, view in app.view_functions.items():
        kind = getattr(view, "view_class", None)
        if kind is None or not issubclass(kind, MethodView) or definition_of(kind) not in views:
            continue
        now = {name.upper() for name in http_method_funcs if hasattr(kind, name)}
        was = getattr(view, "methods", None)
        if was is None or now == set(was):
            continue
        kind.methods = view.methods = now
        for rule in app.url_map.iter_rules():
            if rule.endpoint == endpoint and rule.methods is not None and set(was) <= rule.methods:
                extra = rule.methods - set(was)
                if "GET" in was and "GET" not in now:
                    extra.discard("HEAD")
                rule.methods = now | extra | ({"HEAD"} if "GET" in now else set())
                changed = True
    if changed:
        _set_rules(app.url_map, list(app.url_map.iter_rules()))


def _rename(app: Flask, definition: tuple[str, str], old: str) -> None:
    """An endpoint that was named after its function is named after it again."""
    for endpoint, view in tuple(app.view_functions.items()):
        blueprint, _, name = endpoint.rpartition(".")
        if name != old or definition_of(view) != definition:
            continue
        new = f"{blueprint}.{view.__name__}".lstrip(".")
        if new in app.view_functions:
            continue
        app.view_functions[new] = view
        rules = list(app.url_map.iter_rules())
        for rule in rules:
            if rule.endpoint == endpoint:
                rule.endpoint = new
        _set_rules(app.url_map, rules)
        del app.view_functions[endpoint]


def _allow_setup(plugin: FlaskPlugin, original: Callable[..., None], owner: Any, *args: Any) -> None:
    # After the first request Flask refuses it, as other workers would not see it. They all see an edit.
    plugin.touch(owner)


_hooks = Hooks()
for _owner in (Flask, Blueprint):
    _hooks.add(_owner, "_check_setup_finished", _allow_setup)
_hooks.add(Flask, "add_url_rule", FlaskPlugin.add_url_rule)
_hooks.add(Blueprint, "record", FlaskPlugin.record)
_hooks.add(Blueprint, "register", FlaskPlugin.register)
