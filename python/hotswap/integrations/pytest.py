"""pytest: fixtures and tests that change while a session runs.

pytest reads fixtures and tests once, when it collects them. Between two tests, in a debugger or in a session
that is kept alive, an edit has to reach what was collected: a fixture's arguments, scope, parameters and
value, new fixtures and removed ones, the arguments and marks of tests that are still to come.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

from _pytest.compat import getfuncargnames
from _pytest.fixtures import FixtureDef, FixtureManager
from _pytest.mark.structures import get_unpacked_marks
from _pytest.scope import Scope

from hotswap._hotswap import peek
from hotswap.integrations._registrations import Definition, Outcome, definition_of, instances

_REGISTRIES = ("_arg2fixturedefs", "_arg2node2fixturedefs", "_arg2nodeid2fixturedefs")
_AUTOUSE = ("_node_autousenames", "_nodeid_autousenames")


class PytestPlugin:
    """One update's view of the pytest sessions of this process."""

    owns = ("_pytest", "pytest", "pluggy")

    def begin(self) -> None:
        """Nothing to prepare: statements register nothing, pytest looks for fixtures when it collects."""

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Bring what pytest has collected in line with the modules as they are now."""
        outcome = Outcome(report)
        changed = _changed_definitions(outcome)
        if not any(_concerns_tests(module, qualname) for module, qualname in changed):
            return []
        notes: list[str] = []
        for manager in instances(FixtureManager):
            notes += _Session(manager, changed, outcome.renamed()).follow()
        return list(dict.fromkeys(notes))


class _Session:
    """The fixtures and tests of one session, and what an update changed of them."""

    def __init__(self, manager: Any, changed: dict[Definition, str], renamed: dict[Definition, str]) -> None:
        self.manager = manager
        self.changed = changed
        self.renamed = renamed
        self.modules = {module for module, _ in changed}
        self.structure_changed = False

    def follow(self) -> Iterator[str]:
        known = list(_all_fixtures(self.manager))
        for fixture in known:
            definition = definition_of(fixture.func)
            if definition is None or definition[0] not in self.modules:
                continue
            yield from self._follow_fixture(fixture, definition)
        yield from self._add_fixtures()
        yield from self._follow_tests()

    def _follow_fixture(self, fixture: Any, definition: Definition) -> Iterator[str]:
        now = _fixture_at(definition) or self._renamed_to(fixture, definition)
        if now is None or (now[2] or now[3]) != fixture.argname:
            self._withdraw(fixture)
            yield f"pytest: the fixture {fixture.argname} was withdrawn"
            return
        function, marker, _, _ = now
        bound_to = getattr(fixture.func, "__self__", None)
        if bound_to is not None and not isinstance(function, types.MethodType):
            function = types.MethodType(function, bound_to)
        was = fixture.argnames, fixture._scope, fixture.params, getattr(fixture, "_autouse", None)
        parameters = None if marker.params is None else tuple(marker.params)
        if parameters != (None if fixture.params is None else tuple(fixture.params)):
            yield (
                f"pytest: the parameters of the fixture {fixture.argname} differ; tests are made of them "
                "by the next collection"
            )
        fixture.func = function
        fixture.ids = marker.ids
        fixture.argnames = _argument_names(function, fixture.argname, definition)
        if isinstance(marker.scope, (str, Scope)):
            scope = marker.scope
            fixture._scope = Scope(scope) if isinstance(scope, str) else scope
        if hasattr(fixture, "_autouse"):
            fixture._autouse = marker.autouse
        self._set_autouse(fixture, marker.autouse)
        is_now = fixture.argnames, fixture._scope, fixture.params, getattr(fixture, "_autouse", None)
        self.structure_changed |= was != is_now
        if definition in self.changed and fixture.cached_result is not None:
            # pytest compares this key with that of the next request; where they differ it finishes the
            # old value, in the thread and at the place of its own, and sets up a new one.
            value, _, error = fixture.cached_result
            fixture.cached_result = (value, object(), error)
            yield f"pytest: the fixture {fixture.argname} is set up anew at its next use"

    def _renamed_to(self, fixture: Any, definition: Definition) -> Any:
        for (module, new), old in self.renamed.items():
            if (module, old) == definition:
                return _fixture_at((module, new))
        return None

    def _withdraw(self, fixture: Any) -> None:
        self.structure_changed = True
        for registry in self._registries():
            for entries in _lists_in(registry):
                entries[:] = [entry for entry in entries if entry is not fixture]
        self._set_autouse(fixture, False)

    def _set_autouse(self, fixture: Any, wanted: bool) -> None:
        """Which fixtures are used without being asked for is kept by the node that they are seen from."""
        for attribute in _AUTOUSE:
            names_of = getattr(self.manager, attribute, None)
            if names_of is None:
                continue
            place = fixture.baseid if attribute == "_nodeid_autousenames" else getattr(fixture, "node", None)
            if place is None:
                continue
            names = names_of.get(place, [])
            if wanted == (fixture.argname in names):
                return
            if not wanted:
                names.remove(fixture.argname)
            elif attribute == _AUTOUSE[0] or not hasattr(self.manager, _AUTOUSE[0]):
                names_of.setdefault(place, []).append(fixture.argname)
            else:
                continue
            self.structure_changed = True
            return

    def _add_fixtures(self) -> Iterator[str]:
        known = {id(fixture.func) for fixture in _all_fixtures(self.manager)}
        known |= {id(getattr(fixture.func, "__func__", None)) for fixture in _all_fixtures(self.manager)}
        for holder in self._holders():
            fresh = {
                name: found
                for name, thing in tuple(vars(holder).items())
                if (found := _fixture_in(thing)) is not None
                and id(found[0]) not in known
                and definition_of(found[0]) in self.changed
            }
            place = self._place_of(holder) if fresh else None
            if place is None:
                continue
            for name, (function, marker) in fresh.items():
                self._register(marker.name or name, function, marker, place)
                yield f"pytest: the fixture {marker.name or name} is there"
            self.structure_changed = True

    def _holders(self) -> Iterator[Any]:
        """The changed modules, and the classes in them that have a changed member."""
        for name in self.modules:
            module = sys.modules.get(name)
            if module is None:
                continue
            yield module
            owners = {qualname.rpartition(".")[0] for home, qualname in self.changed if home == name}
            for owner in owners - {""}:
                thing = _resolve(name, owner)
                if issubclass(type(thing), type):
                    yield thing

    def _place_of(self, holder: Any) -> Any:
        """Where the fixtures of a module or class are seen from: a collector, or a node id."""
        for fixture in _all_fixtures(self.manager):
            definition = definition_of(fixture.func)
            if definition is not None and _resolve(definition[0], definition[1].rpartition(".")[0]) is holder:
                instance = getattr(fixture.func, "__self__", None)
                return _Place(getattr(fixture, "node", None), fixture.baseid, instance)
        for item in getattr(self.manager.session, "items", ()):
            for node in item.listchain():
                if getattr(node, "obj", None) is holder:
                    instance = node.newinstance() if isinstance(holder, type) else None
                    return _Place(node, node.nodeid, instance)
        return None

    def _register(self, name: str, function: Any, marker: Any, place: _Place) -> None:
        """Enter a fixture, as pytest does for each that it finds in a module or class."""
        if place.instance is not None:
            function = types.MethodType(function, place.instance)
        register = self.manager._register_fixture
        where = (
            {"node": place.node}
            if place.node is not None and "node" in inspect.signature(register).parameters
            else {"nodeid": place.node_id}
        )
        register(
            name=name,
            func=function,
            scope=marker.scope,
            params=marker.params,
            ids=marker.ids,
            autouse=marker.autouse,
            **where,
        )

    def _follow_tests(self) -> Iterator[str]:
        """Tests that have not begun take other arguments, marks and fixtures."""
        for item in getattr(self.manager.session, "items", ()):
            function = getattr(item, "obj", None)
            definition = definition_of(function)
            if definition is None or not _is_to_come(item):
                continue
            own = definition in self.changed
            if own:
                now = _resolve(*definition)
                if now is None:
                    yield f"pytest: {item.nodeid} is gone, and runs in this session all the same"
                    continue
                self._take_definition(item, now)
            if own or self.structure_changed:
                self._take_fixtures(item)

    def _take_definition(self, item: Any, now: Any) -> None:
        held = getattr(item.obj, "__func__", item.obj)
        if held is not now and callable(now):
            bound_to = getattr(item.obj, "__self__", None)
            item.obj = now if bound_to is None else types.MethodType(now, bound_to)
        marks = list(get_unpacked_marks(item.obj))
        marks += getattr(getattr(item, "callspec", None), "marks", ())
        if marks != item.own_markers:
            for mark in item.own_markers:
                item.keywords._markers.pop(mark.name, None)
            item.own_markers[:] = marks
            item.keywords.update({mark.name: mark for mark in marks})

    def _take_fixtures(self, item: Any) -> None:
        old = item._fixtureinfo
        function = getattr(item.obj, "__func__", item.obj)
        name = getattr(item, "originalname", item.name)
        static = item.cls and isinstance(inspect.getattr_static(item.cls, name, None), staticmethod)
        new = self.manager.getfixtureinfo(node=item, func=function, cls=None if static else item.cls)
        # What `parametrize` gives by itself is kept by the item alone.
        parametrized = getattr(getattr(item, "callspec", None), "params", {})
        for name in parametrized:
            if name in old.name2fixturedefs and name not in new.name2fixturedefs:
                new.name2fixturedefs[name] = old.name2fixturedefs[name]
            if name not in new.names_closure:
                new.names_closure.append(name)
        item._fixtureinfo = new
        item.fixturenames = new.names_closure
        item._initrequest()

    def _registries(self) -> Iterator[Any]:
        for attribute in _REGISTRIES:
            registry = getattr(self.manager, attribute, None)
            if registry is not None:
                yield registry


class _Place:
    """From where fixtures are seen; newer versions of pytest want the node, older ones its id."""

    def __init__(self, node: Any, node_id: str, instance: Any) -> None:
        self.node = node
        self.node_id = node_id
        # Methods are bound to it; pytest binds them anew to the instance of each test.
        self.instance = instance


def _changed_definitions(outcome: Outcome) -> dict[Definition, str]:
    kinds = ("function", "method", "class", "statement", "attribute")
    return {
        (change["module"], change["qualname"]): change["action"]
        for change in outcome.changes
        if change["kind"] in kinds and change["action"] not in ("stale", "kept")
    }


def _concerns_tests(module: str, qualname: str) -> bool:
    """Whether pytest can have collected it. Most updates concern no test, and cost nothing then."""
    names = vars(sys.modules[module]) if module in sys.modules else {}
    if qualname.rpartition(".")[2].startswith("test"):
        return True
    return module.rpartition(".")[2] == "conftest" or any(
        _fixture_in(thing) is not None
        or (issubclass(type(thing), type) and thing.__name__.startswith("Test"))
        for thing in tuple(names.values())
    )


def _all_fixtures(manager: Any) -> Iterator[FixtureDef[Any]]:
    for attribute in _REGISTRIES:
        for entries in _lists_in(getattr(manager, attribute, {})):
            yield from entries


def _lists_in(registry: Any) -> Iterator[list[Any]]:
    for value in tuple(registry.values()):
        if isinstance(value, dict):
            yield from _lists_in(value)
        else:
            yield value


def _fixture_in(thing: Any) -> tuple[Any, Any] | None:
    """The function and the marker of a fixture, as its module holds it."""
    if type(thing).__name__ == "FixtureFunctionDefinition" and type(thing).__module__ == "_pytest.fixtures":
        return thing._get_wrapped_function(), thing._fixture_function_marker
    if type(thing) is types.FunctionType and "_pytestfixturefunction" in thing.__dict__:
        wrapped = thing.__dict__.get("__pytest_wrapped__")  # pytest before 8.4
        return getattr(wrapped, "obj", thing), thing.__dict__["_pytestfixturefunction"]
    return None


def _fixture_at(definition: Definition) -> tuple[Any, Any, str | None, str] | None:
    """The fixture that a definition makes now: function, marker, given name, own name."""
    found = _fixture_in(_resolve(*definition))
    if found is None:
        return None
    return (*found, found[1].name, definition[1].rpartition(".")[2])


def _resolve(module: str, qualname: str) -> Any:
    thing: Any = sys.modules.get(module)
    for name in qualname.split(".") if qualname else ():
        thing = peek(thing, "__dict__", {}).get(name)
    return thing


def _argument_names(function: Any, name: str, definition: Definition) -> tuple[str, ...]:
    owner = _resolve(definition[0], definition[1].rpartition(".")[0])
    cls = owner if isinstance(owner, type) and not isinstance(function, types.MethodType) else None
    return tuple(getfuncargnames(function, name=name, cls=cls))


def _is_to_come(item: Any) -> bool:
    request = getattr(item, "_request", None)
    # Afterwards pytest lets go of the request; as soon as a test begins it holds fixtures.
    return bool(request) and not item.funcargs and not getattr(request, "_fixture_defs", None)
