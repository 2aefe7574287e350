"""Starlette and FastAPI: what ran again replaces its route; a route follows a changed signature."""

from __future__ import annotations

import copy
import inspect
import sys
import typing
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Router

from hotswap._hotswap import peek
from hotswap._plugins import statement_file
from hotswap.integrations._gone import GoneCall, gone_calls
from hotswap.integrations._registrations import (
    Container,
    Definition,
    Hooks,
    Journal,
    Outcome,
    Reruns,
    decorator_keywords,
    definition_of,
    instances,
    is_earlier_run,
    replaced,
)

_signatures: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""Signatures of functions that were edited before: most edits leave them alone."""
_TABLES = ("_exception_handlers", "_status_handlers")
_ADDING = ("add_route", "add_websocket_route", "mount", "host")
_ROUTING = {
    *("add_route", "add_websocket_route", "mount", "route", "websocket_route"),
    *("get", "post", "put", "delete", "patch", "head", "options", "trace", "api_route", "websocket"),
    *("add_api_route", "add_api_websocket_route"),
}
_ADDING_API = ("add_api_route", "add_api_websocket_route", "include_router", *_ADDING)


class StarlettePlugin:
    """One update's view of the routers of this process."""

    owns = ("starlette", "fastapi")

    def __init__(self) -> None:
        self._journal = Journal()
        self._routes = Reruns()
        self._added: list[tuple[str | None, Router, Any, list[_Inclusion]]] = []
        self._new: set[int] = set()
        self._new_handlers: set[tuple[int, Any]] = set()

    def begin(self) -> None:
        """Notice what the statements of this thread register."""
        _add_hooks_of_fastapi()
        _hooks.install(self)

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Put back what was rejected; withdraw what old runs had registered; follow changed signatures."""
        _hooks.remove()
        outcome = Outcome(report)
        self._journal.end(outcome)
        notes: list[str] = []
        touched = bool(self._added)
        for router, old, new in self._routes.replaced(outcome, _is_same_route):
            router.routes = replaced(router.routes, old, new)
        gone = False
        for call in gone_calls(outcome):
            withdrawn = self._undo_call(call)
            notes += withdrawn
            gone = gone or bool(withdrawn)
        changed = _changed_signatures(outcome) if "fastapi" in sys.modules else set()
        removed = outcome.removed()
        if not (touched or changed or removed or gone):
            return notes
        live: list[Any] = instances(Router, Starlette)
        routers: list[Any] = [thing for thing in live if isinstance(thing, Router)]
        if removed:
            for router in routers:
                notes += _withdraw(router, lambda route: getattr(route, "endpoint", None) in removed)
        if changed:
            _forget_kinds()
            for router in routers:
                for route in router.routes:
                    notes += _follow(route, router, changed)
        for file, router, route, inclusions in self._added:
            if not outcome.rejects(file):
                for inclusion in inclusions:
                    inclusion.add(route, router)
        for router in routers:
            mark = getattr(router, "_mark_routes_changed", None)
            if mark is not None:
                mark()
        for app in live:
            if getattr(app, "openapi_schema", None) is not None:
                app.openapi_schema = None
        return notes

    def add_route(self, original: Callable[..., Any], router: Router, *args: Any, **kwargs: Any) -> Any:
        """A route takes the place of those that earlier runs of its endpoint's definition made."""
        self._touch(router)
        earlier = list(router.routes)
        known = {id(route) for route in earlier}
        result = original(router, *args, **kwargs)
        file = statement_file()
        inclusions = _inclusions(router, earlier)
        for route in router.routes:
            if id(route) in known or id(route) in self._new:
                continue
            self._new.add(id(route))
            self._added.append((file, router, route, inclusions))
            old = [old for old in earlier if id(old) not in self._new and _is_replaced(old, route)]
            definition = definition_of(getattr(route, "endpoint", None)) or id(old[0] if old else route)
            self._routes.note(router, definition, old, [route])
            self._note_copies(router, definition, old)
        return result

    def add_exception_handler(
        self, original: Callable[..., Any], app: Starlette, key: Any, handler: Any
    ) -> None:
        """A handler reaches an application whose middleware has been put together already."""
        layers = list(_exception_layers(app))
        tables = [getattr(layer, name, None) for layer in layers for name in _TABLES]
        self._journal.touch(app, lambda: [app.exception_handlers, *tables])
        original(app, key, handler)
        self._new_handlers.add((id(app), key))
        for layer in layers:
            layer.add_exception_handler(key, handler)

    def _undo_call(self, call: GoneCall) -> list[str]:
        """What a decorator or statement had registered that the source has no more."""
        owner = call.owner
        if call.method in ("exception_handler", "add_exception_handler") and isinstance(owner, Starlette):
            return self._undo_handler(call)
        router = owner if isinstance(owner, Router) else getattr(owner, "router", None)
        if not isinstance(router, Router):
            return []
        part = call.argument(0, "router")
        if call.method == "include_router" and _copies_routes(part):
            paths = {
                (id(route.endpoint), f"{router.prefix}{call.argument(99, 'prefix') or ''}{route.path}")
                for route in part.routes
                if hasattr(route, "endpoint")
            }
            return _withdraw(
                router,
                lambda route: (id(getattr(route, "endpoint", None)), getattr(route, "path", None)) in paths,
                self._new,
            )
        if call.method == "include_router" and part is not None:
            return _withdraw(router, lambda route: getattr(route, "original_router", None) is part, self._new)
        path = call.argument(0, "path")
        if call.method not in _ROUTING or not isinstance(path, str):
            return []
        path = getattr(router, "prefix", "") + path
        definition = call.definition
        if definition is None:
            part = next((part for part in call.arguments[1:2]), None)
            definition = definition_of(part) if call.method != "mount" else None

        def is_gone(route: Any) -> bool:
            if getattr(route, "path", None) != path.rstrip("/" if call.method == "mount" else ""):
                return False
            return call.method == "mount" or definition_of(getattr(route, "endpoint", None)) == definition

        notes = []
        for inclusion in _inclusions(router, [route for route in router.routes if is_gone(route)]):
            notes += _withdraw(inclusion.into, _is_copy_of(inclusion.prefix + path, definition), self._new)
        return notes + _withdraw(router, is_gone, self._new)

    def _undo_handler(self, call: GoneCall) -> list[str]:
        key = call.argument(0, "exc_class_or_status_code")
        app = call.owner
        if key is None or (id(app), key) in self._new_handlers:
            return []
        handler = app.exception_handlers.pop(key, None)
        for layer in _exception_layers(app):
            for name in _TABLES:
                getattr(layer, name, {}).pop(key, None)
        if handler is None:
            return []
        return [f"starlette: the handler of {getattr(key, '__name__', key)} was withdrawn"]

    def _touch(self, router: Router) -> None:
        self._journal.touch(router, lambda: [_Routes(router)])

    def _note_copies(self, router: Router, definition: object, old: list[Any]) -> None:
        """Before FastAPI kept included routers by reference it copied their routes."""
        if not old or not _copies_routes(router):
            return
        endpoints = {id(getattr(route, "endpoint", None)) for route in old}
        for other in instances(Router):
            if other is router:
                continue
            copies = [route for route in other.routes if id(getattr(route, "endpoint", None)) in endpoints]
            if copies:
                self._touch(other)
                self._routes.note(other, definition, copies, [])


class _Routes(Container):
    """The routes of a router."""

    def entries(self) -> list[Any]:
        return list(self.registry.routes)

    def put(self, entries: list[Any]) -> None:
        # A new list: other threads are going through the old one.
        self.registry.routes = entries


def _is_copy_of(path: str, definition: Definition | None) -> Callable[[Any], bool]:
    """A test for the route that was copied to this path."""
    return lambda route: (
        getattr(route, "path", None) == path and definition_of(getattr(route, "endpoint", None)) == definition
    )


def _withdraw(router: Any, is_gone: Callable[[Any], bool], new: Iterable[int] = ()) -> list[str]:
    gone = [route for route in router.routes if id(route) not in new and is_gone(route)]
    if gone:
        taken = {id(route) for route in gone}
        router.routes = [route for route in router.routes if id(route) not in taken]
    return [f"starlette: the route {getattr(route, 'path', '')} was withdrawn" for route in gone]


def _is_replaced(old: Any, new: Any) -> bool:
    if is_earlier_run(getattr(old, "endpoint", None), getattr(new, "endpoint", None)):
        return True
    # The same router included, or the same application mounted, once more.
    for name in ("original_router", "app"):
        part = getattr(new, name, None)
        if part is not None and not hasattr(new, "endpoint") and getattr(old, name, None) is part:
            return type(old) is type(new)
    return False


def _is_same_route(old: Any, new: Any) -> bool:
    names = ("path", "methods", "original_router")
    return all(getattr(old, name, None) == getattr(new, name, None) for name in names)


def _exception_layers(app: Starlette) -> Iterator[Any]:
    layer: Any = app.middleware_stack
    while layer is not None:
        if isinstance(layer, ExceptionMiddleware):
            yield layer
        layer = getattr(layer, "app", None) if layer is not app.router else None


@dataclass(frozen=True)
class _Inclusion:
    """A router whose routes were copied into another one, which is what FastAPI did for long."""

    into: Any
    prefix: str
    own: Any
    """A route that was copied."""
    copied: Any

    def add(self, route: Any, router: Any) -> None:
        """Copy one more route."""
        part = type(router)(default_response_class=router.default_response_class)
        part.routes = [route]
        tags = [tag for tag in self.copied.tags if tag not in self.own.tags]
        dependencies = [known for known in self.copied.dependencies if known not in self.own.dependencies]
        self.into.include_router(part, prefix=self.prefix, tags=tags, dependencies=dependencies)


def _copies_routes(router: Any) -> bool:
    return hasattr(router, "include_router") and not hasattr(router, "_mark_routes_changed")


def _inclusions(router: Any, earlier: list[Any]) -> list[_Inclusion]:
    """Where the routes that this router had earlier were copied to."""
    if not _copies_routes(router):
        return []
    found: dict[tuple[int, str], _Inclusion] = {}
    for other in instances(Router):
        for own in earlier if other is not router and _copies_routes(other) else ():
            for route in other.routes:
                if getattr(own, "tags", None) is None or getattr(route, "tags", None) is None:
                    continue
                if route.endpoint is own.endpoint and route.path.endswith(own.path):
                    prefix = route.path[: len(route.path) - len(own.path)]
                    found.setdefault((id(other), prefix), _Inclusion(other, prefix, own, route))
    return list(found.values())


def _changed_signatures(outcome: Outcome) -> set[Definition]:
    """Definitions that a route may have read: classes that changed, functions whose signature may have."""
    found: set[Definition] = set()
    for change in outcome.changes:
        if change["kind"] not in ("function", "method", "class", "attribute"):
            continue
        if change["action"] not in ("patched", "re-ran", "added", "removed", "migrated", "rebound", "moved"):
            continue
        module, qualname = change["module"], change["qualname"]
        if change["kind"] != "function":
            owner = qualname if change["kind"] == "class" else qualname.rpartition(".")[0]
            while owner:
                found.add((module, owner))
                owner = owner.rpartition(".")[0]
            if change["kind"] != "method":
                continue
        function = _function(module, qualname)
        if function is None:
            continue
        signature = _signature(function)
        if _signatures.get(function) != signature:
            _signatures[function] = signature
            found.add((module, qualname))
    return found


def _function(module: str, qualname: str) -> Any:
    thing: Any = sys.modules.get(module)
    for name in qualname.split("."):
        thing = peek(thing, name)
    try:
        thing = inspect.unwrap(thing)
    except ValueError:
        return None
    thing = getattr(thing, "__func__", thing)
    return thing if inspect.isfunction(thing) else None


def _signature(function: Any) -> tuple[Any, ...]:
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    return (
        code.co_varnames[:count],
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & (inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR | 0x0C),
        tuple(map(id, function.__defaults__ or ())),
        tuple((name, id(value)) for name, value in (function.__kwdefaults__ or {}).items()),
        tuple((name, str(value)) for name, value in function.__annotations__.items()),
        function.__doc__,
    )


def _follow(route: Any, router: Any, changed: set[Definition]) -> list[str]:
    """Make a FastAPI route anew from what it was made of, if something that it read then has changed."""
    from fastapi.routing import APIRoute, APIWebSocketRoute

    dependant = getattr(route, "dependant", None)
    if dependant is None or not isinstance(route, (APIRoute, APIWebSocketRoute)):
        return []
    # Conditions that an included router added stand in the tree as well.
    if changed.isdisjoint(_read_by(route, dependant)):
        return []
    kind: Any = APIRoute if isinstance(route, APIRoute) else APIWebSocketRoute
    names = inspect.signature(kind.__init__).parameters
    arguments = {name: getattr(route, name) for name in names if hasattr(route, name)}
    if kind is APIRoute:
        written = decorator_keywords(route.endpoint)
        for name, default in (("response_model", _inferred()), ("description", None)):
            if written is not None and name not in written:
                arguments[name] = default
    else:
        arguments["dependency_overrides_provider"] = getattr(router, "dependency_overrides_provider", None)
    fresh = copy.copy(route)
    try:
        kind.__init__(fresh, **arguments)
    except Exception as error:
        return [f"fastapi: the route {route.path} keeps its old signature: {type(error).__name__}: {error}"]
    # In one step: a request meets the old route or the new one.
    route.__dict__.update(fresh.__dict__)
    return []


def _forget_kinds() -> None:
    """Forget which functions are plain, async or generators: FastAPI asks each only once."""
    for name in ("fastapi.dependencies.models", "fastapi.dependencies.utils"):
        for value in tuple(getattr(sys.modules.get(name), "__dict__", {}).values()):
            clear = getattr(value, "cache_clear", None)
            if clear is not None:
                clear()


def _inferred() -> Any:
    """What stands for a response model that is read off the endpoint's return annotation."""
    from fastapi.datastructures import Default

    return Default(None)


def _read_by(route: Any, dependant: Any) -> set[Definition]:
    found: set[Definition | None] = set()
    types: list[Any] = [getattr(route, "response_model", None)]
    due = [dependant]
    while due:
        node = due.pop()
        found.add(definition_of(node.call))
        if inspect.isclass(node.call):
            types.append(node.call)
        elif node.call is not None and not inspect.isfunction(node.call):
            types.append(type(node.call))
        due += node.dependencies
        for name in ("path_params", "query_params", "header_params", "cookie_params", "body_params"):
            for field in getattr(node, name, ()):
                types.append(getattr(field.field_info, "annotation", None) or getattr(field, "type_", None))
    seen: set[int] = set()
    while types:
        kind = types.pop()
        if id(kind) in seen:
            continue
        seen.add(id(kind))
        types += typing.get_args(kind)
        if inspect.isclass(kind):
            found |= {definition_of(base) for base in kind.__mro__}
            types += [field.annotation for field in getattr(kind, "model_fields", {}).values()]
    return {definition for definition in found if definition is not None}


_hooks = Hooks()
for _name in _ADDING:
    _hooks.add(Router, _name, StarlettePlugin.add_route)
_hooks.add(Starlette, "add_exception_handler", StarlettePlugin.add_exception_handler)


_known_routers: list[type] = []


def _add_hooks_of_fastapi() -> None:
    routing = sys.modules.get("fastapi.routing")
    router = getattr(routing, "APIRouter", None)
    if router is not None and router not in _known_routers:
        _known_routers.append(router)
        for name in _ADDING_API:
            _hooks.add(router, name, StarlettePlugin.add_route)
