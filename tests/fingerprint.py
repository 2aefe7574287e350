"""Everything of a program that an update may write to, so that two moments can be compared.

    before = fingerprint.take(folder)
    ...                                  # an update that fails
    assert fingerprint.differences(before, fingerprint.take(folder)) == []

`take` follows every module below a folder to full depth: namespaces, functions with all their parts,
classes, instances, containers, `sys.modules`, what packages hold of their submodules, `linecache`, the caches
of the import system, registered callbacks. Objects are compared by identity *and* by what they hold, so a
container that was replaced by an equal one is a difference. No code of the program runs.

`shape` is the other comparison: what the modules are, with no identity in it, for "as after a fresh start".
"""

from __future__ import annotations

import atexit
import collections
import functools
import gc
import importlib
import linecache
import logging
import os
import sys
import threading
import traceback
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

LEAVES = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))
CODE_FIELDS = (
    "co_name",
    "co_filename",
    "co_firstlineno",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_stacksize",
    "co_qualname",
    "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab",
    "co_exceptiontable",
)
UNSET = "<unset>"
# What the interpreter keeps in a class for itself.
CLASS_INTERNALS = ("__dict__", "__weakref__")
# Whether annotations are evaluated when somebody asks for them (PEP 649).
DEFERRED = sys.version_info >= (3, 14)
_wrapper = type(functools.lru_cache(maxsize=None)(lambda: None))

Fields = dict[str, Any]


def _warm_up() -> None:
    """Have the interpreter import now what it imports when an update, or its report, asks for it first.

    `importlib.invalidate_caches` imports `importlib.metadata`. A formatted traceback, which the report of a
    failed update has, imports `ast` from 3.11 on, for the carets, and `_suggestions` from 3.13 on, for "Did
    you mean". These modules are not what the update has left behind.
    """
    importlib.invalidate_caches()
    try:
        _warm_upp()  # type: ignore[name-defined]
    except NameError as error:
        traceback.format_exception(type(error), error, error.__traceback__)


_warm_up()


class Fingerprint:
    """What was found: every object by its address, with what it held and how it was reached."""

    def __init__(self) -> None:
        self.nodes: dict[int, Fields] = {}
        self.paths: dict[int, str] = {}
        # Alive as long as this is, so that no address is used twice.
        self.objects: list[object] = []
        self.process: Fields = {}


def take(folder: str | os.PathLike[str], roots: Iterable[object] = ()) -> Fingerprint:
    """The state of every module whose file is below `folder`, and of `roots`."""
    gc.collect()
    where = os.path.realpath(folder)
    found = Fingerprint()
    walk = _Walk(found, where)
    modules = {name: module for name, module in sys.modules.items() if _is_below(module, where)}
    for name, module in modules.items():
        walk.root(module, name)
    for number, root in enumerate(roots):
        walk.root(root, f"root {number}")
    # Also those that no name leads to, such as leftovers of an update that failed.
    for kind, each in _objects_of(where, set(modules)):
        walk.root(each, f"{kind} somewhere")
    walk.run()
    found.process = _process(where, modules, walk)
    walk.run()
    return found


def differences(before: Fingerprint, after: Fingerprint, ignore: Iterable[str] = ()) -> list[str]:
    """In words, what differs; empty if nothing does. A line with a part that is in `ignore` is left out."""
    lines = []
    for at, fields in before.nodes.items():
        path = before.paths[at]
        if at not in after.nodes:
            lines.append(f"{path}: gone ({fields['kind']})")
            continue
        lines.extend(_compare(path, fields, after.nodes[at], before, after))
    for at, fields in after.nodes.items():
        if at not in before.nodes:
            lines.append(f"{after.paths[at]}: new ({fields['kind']} {fields.get('name', '')})")
    lines.extend(_compare("process", before.process, after.process, before, after))
    skipped = tuple(ignore)
    return [line for line in lines if not any(part in line for part in skipped)]


def shape(folder: str | os.PathLike[str], skip: Callable[[str], bool] = lambda name: False) -> list[str]:
    """What the modules below `folder` hold, in words without identities; for a comparison with a fresh start.

    The order of names in namespaces does not count; that of other dicts does.
    """
    where = os.path.realpath(folder)
    lines = []
    for name in sorted(name for name, module in sys.modules.items() if _is_below(module, where)):
        seen: dict[int, str] = {}
        namespace = dict(vars(sys.modules[name]))
        if DEFERRED:
            # Evaluated when somebody asks, and then kept.
            namespace["__annotations__"] = sys.modules[name].__annotations__
        for key in sorted(namespace):
            if (key.startswith("__") and key not in ("__doc__", "__annotations__", "__all__")) or skip(key):
                continue
            lines.append(f"{name}.{key} = {_words(namespace[key], seen, f'{name}.{key}', where, 0)}")
    return lines


# ---- the walk ----


class _Walk:
    def __init__(self, found: Fingerprint, where: str) -> None:
        self.found = found
        self.where = where
        self.todo: collections.deque[tuple[object, str]] = collections.deque()

    def root(self, value: object, path: str) -> None:
        self.reference(value, path)

    def run(self) -> None:
        while self.todo:
            value, path = self.todo.popleft()
            self.found.nodes[id(value)] = self.fields(value, path)

    def reference(self, value: object, path: str) -> object:
        """How a field shows another object; it is looked at later."""
        if type(value) in LEAVES:
            return f"{type(value).__name__} {value!r}"
        if id(value) not in self.found.paths:
            self.found.paths[id(value)] = path
            self.found.objects.append(value)
            self.todo.append((value, path))
        return id(value)

    def fields(self, value: Any, path: str) -> Fields:
        kind = type(value)
        fields: Fields = {"kind": kind.__name__, "class": id(kind)}
        refer = self.reference
        if issubclass(kind, types.FunctionType):
            fields["name"] = value.__qualname__
            if not self.is_own_code(value.__code__):
                return fields
            fields["code"] = refer(value.__code__, f"{path}.__code__")
            fields["globals"] = id(value.__globals__)
            fields["closure"] = refer(value.__closure__, f"{path}.__closure__")
            fields["weak references"] = weakref.getweakrefcount(value)
            for name in (
                "__name__",
                "__qualname__",
                "__module__",
                "__doc__",
                "__defaults__",
                "__kwdefaults__",
            ):
                fields[name] = refer(getattr(value, name), f"{path}.{name}")
            fields["annotations"] = self.content(value.__annotations__, f"{path}.__annotations__")
            fields["dict"] = self.content(value.__dict__, f"{path}.__dict__")
        elif issubclass(kind, types.CodeType):
            for name in CODE_FIELDS:
                fields[name] = getattr(value, name, None)
            fields["lines"] = _lines(value)
            fields["consts"] = [refer(each, f"{path}.co_consts") for each in value.co_consts]
        elif issubclass(kind, type):
            fields["name"] = type.__dict__["__qualname__"].__get__(value)
            if not self.is_own_class(value):
                return fields
            fields["bases"] = [refer(base, f"{path}.__bases__") for base in value.__bases__]
            fields["mro"] = [id(base) for base in type.__dict__["__mro__"].__get__(value)]
            fields["subclasses"] = sorted(id(sub) for sub in type.__subclasses__(value))
            fields["flags"] = value.__flags__ & ~(1 << 19)  # whether a version tag is valid says nothing
            for name, member in type.__dict__["__dict__"].__get__(value).items():
                if name not in CLASS_INTERNALS:
                    fields[f"attribute {name}"] = refer(member, f"{path}.{name}")
            fields["order"] = list(type.__dict__["__dict__"].__get__(value))
        elif issubclass(kind, types.ModuleType):
            if _is_below(value, self.where):
                fields["namespace"] = id(value.__dict__)
                fields["content"] = self.content(value.__dict__, path)
        elif issubclass(kind, types.CellType):
            fields["content"] = refer(value.cell_contents, f"{path}.cell") if _is_full(value) else UNSET
        elif issubclass(kind, types.MethodType):
            fields["function"] = refer(value.__func__, f"{path}.__func__")
            fields["self"] = refer(value.__self__, f"{path}.__self__")
        elif issubclass(kind, property):
            for name in ("fget", "fset", "fdel", "__doc__"):
                fields[name] = refer(getattr(value, name), f"{path}.{name}")
        elif issubclass(kind, (classmethod, staticmethod)):
            fields["function"] = refer(value.__func__, f"{path}.__func__")
        elif issubclass(kind, functools.partial):
            fields["function"] = refer(value.func, f"{path}.func")
            fields["arguments"] = refer(value.args, f"{path}.args")
            fields["keywords"] = self.content(value.keywords, f"{path}.keywords")
        elif kind is _wrapper:
            fields["function"] = refer(value.__wrapped__, f"{path}.__wrapped__")
            fields["results"] = value.cache_info().currsize
            fields["dict"] = self.content(value.__dict__, f"{path}.__dict__")
        elif issubclass(kind, (weakref.ref, weakref.ProxyTypes)):
            fields["to"] = id(value()) if issubclass(kind, weakref.ref) else UNSET
        elif issubclass(kind, (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)):
            frame = getattr(value, "gi_frame", None) or getattr(value, "cr_frame", None)
            if frame is not None:
                fields["line"] = (id(frame.f_code), frame.f_lineno, id(frame.f_globals))
        elif kind.__module__ in ("_thread", "threading", "_io", "socket", "re"):
            pass
        else:
            self.instance(value, fields, path)
        return fields

    def instance(self, value: Any, fields: Fields, path: str) -> None:
        """Containers and instances, by the methods of the builtin types."""
        kind = type(value)
        if issubclass(kind, dict):
            fields["content"] = self.content(value, path)
        elif issubclass(kind, (list, tuple)):
            base = list if issubclass(kind, list) else tuple
            items = base.__iter__(value)
            fields["content"] = [self.reference(item, f"{path}[{at}]") for at, item in enumerate(items)]
        elif issubclass(kind, (set, frozenset)):
            base = set if issubclass(kind, set) else frozenset
            fields["content"] = sorted(
                map(str, (self.reference(item, f"{path}{{}}") for item in base.__iter__(value)))
            )
        elif issubclass(kind, collections.deque):
            fields["content"] = [
                self.reference(item, f"{path}[]") for item in collections.deque.__iter__(value)
            ]
        elif issubclass(kind, bytearray):
            fields["content"] = bytes(value)
        if kind.__module__ == "builtins" or (not self.is_own_class(kind) and not _is_simple(kind)):
            return
        try:
            attributes = object.__getattribute__(value, "__dict__")
        except AttributeError:
            attributes = None
        if type(attributes) is dict:
            for name, attribute in attributes.items():
                fields[f"attribute {name}"] = self.reference(attribute, f"{path}.{name}")
            fields["order"] = list(attributes)
        for owner in type.__dict__["__mro__"].__get__(kind):
            for name, member in type.__dict__["__dict__"].__get__(owner).items():
                if type(member) is types.MemberDescriptorType:
                    try:
                        held = member.__get__(value)
                    except AttributeError:
                        fields[f"slot {name}"] = UNSET
                    else:
                        fields[f"slot {name}"] = self.reference(held, f"{path}.{name}")

    def content(self, value: dict[Any, Any], path: str) -> list[tuple[object, object]]:
        return [
            (
                self.reference(key, f"{path} key"),
                self.reference(each, f"{path}.{key if type(key) is str else '[]'}"),
            )
            for key, each in list(dict.items(value))
            if key != "__builtins__"
        ]

    def is_own_code(self, code: types.CodeType) -> bool:
        return code.co_filename.startswith(self.where) or code.co_filename == "<string>"

    def is_own_class(self, value: type) -> bool:
        home = type.__dict__["__module__"].__get__(value)
        module = sys.modules.get(home) if type(home) is str else None
        if module is not None and not _is_below(module, self.where):
            # `__main__` of the tests, enum, dataclasses and the like.
            return False
        return home != "builtins" and module is not None


def _compare(path: str, was: Fields, now: Fields, before: Fingerprint, after: Fingerprint) -> Iterator[str]:
    for name in [*was, *(name for name in now if name not in was)]:
        a, b = was.get(name, UNSET), now.get(name, UNSET)
        if a != b:
            yield f"{path}: {name} was {_show(a, before)}, is {_show(b, after)}"


def _show(value: Any, found: Fingerprint) -> str:
    if isinstance(value, int) and value in found.paths:
        return f"<{found.nodes.get(value, {}).get('kind')} at {found.paths[value]}, {value:x}>"
    if isinstance(value, (list, tuple)) and len(value) < 40:
        return "[" + ", ".join(_show(each, found) for each in value) + "]"
    text = repr(value)
    return text if len(text) < 400 else text[:400] + "..."


# ---- the parts that belong to no object ----


def _process(where: str, modules: dict[str, Any], walk: _Walk) -> Fields:
    fields: Fields = {
        **{f"sys.modules[{name!r}]": id(module) for name, module in sys.modules.items()},
        "collector": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()),
        "switch interval": sys.getswitchinterval(),
        "trace and profile": (id(sys.gettrace()), id(sys.getprofile())),
        "finders": [id(each) for each in sys.meta_path],
        "path hooks": [id(each) for each in sys.path_hooks],
        "path": list(sys.path),
        "exit callbacks": atexit._ncallbacks() if hasattr(atexit, "_ncallbacks") else 0,
        # The control channel opens in its own time, with or without an update.
        "threads": sorted(
            thread.name
            for thread in threading.enumerate()
            if thread.name not in ("hotswap control", "hotswap connection")
        ),
        "log handlers": [id(each) for each in logging.getLogger().handlers],
        "excepthook": id(sys.excepthook),
        "folder": os.getcwd(),
    }
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        holder = sys.modules.get(parent)
        if holder is not None:
            fields[f"{parent}.{child}"] = id(vars(holder).get(child))
        spec = getattr(module, "__spec__", None)
        fields[f"{name} is being imported"] = getattr(spec, "_initializing", None)
        # What tracebacks and `inspect` show of it.
        file = vars(module).get("__file__")
        linecache.checkcache(file)
        fields[f"source of {name}"] = tuple(linecache.getlines(file))
    # Which folders have finders; what a finder remembers of a folder is made anew at any time.
    fields["folders with finders"] = sorted(
        folder for folder in sys.path_importer_cache if str(folder).startswith(where)
    )
    for base in _foreign_bases(modules, walk):
        fields[f"subclasses of {base.__qualname__}"] = sorted(
            id(sub) for sub in type.__subclasses__(base) if sub.__module__ in modules
        )
    return fields


def _foreign_bases(modules: dict[str, Any], walk: _Walk) -> list[type]:
    bases: dict[int, type] = {id(object): object}
    for each in list(walk.found.objects):
        if issubclass(type(each), type) and walk.is_own_class(each):
            for base in each.__bases__:
                if not walk.is_own_class(base):
                    bases[id(base)] = base
    return sorted(bases.values(), key=lambda base: base.__qualname__)


def _objects_of(where: str, names: set[str]) -> Iterator[tuple[str, object]]:
    for each in gc.get_objects():
        kind = type(each)
        if kind is types.FunctionType and each.__code__.co_filename.startswith(where):
            yield f"function {each.__qualname__}", each
        elif issubclass(kind, type) and type.__dict__["__module__"].__get__(each) in names:
            yield f"class {type.__dict__['__qualname__'].__get__(each)}", each
        elif kind is dict and each.get("__name__") in names and "__builtins__" in each:
            yield f"namespace of {each['__name__']}", each


def _is_below(module: object, where: str) -> bool:
    try:
        file = vars(module).get("__file__")
    except TypeError:
        return False
    return type(file) is str and os.path.realpath(file).startswith(where + os.sep)


def _is_simple(kind: type) -> bool:
    """A class of a library whose instances keep their state where it can be looked at."""
    return kind.__module__ in ("dataclasses", "enum", "collections", "types", "functools")


def _is_full(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _lines(code: types.CodeType) -> list[tuple[int, int, int | None]]:
    return list(code.co_lines()) if hasattr(code, "co_lines") else list(_dis_lines(code))


def _dis_lines(code: types.CodeType) -> Iterator[tuple[int, int, int | None]]:
    import dis

    for start, line in dis.findlinestarts(code):
        yield start, start, line


# ---- without identities ----


def _words(value: Any, seen: dict[int, str], path: str, where: str, depth: int) -> str:
    kind = type(value)
    if kind in LEAVES:
        return repr(value)
    if depth > 12:
        return f"<{kind.__qualname__}>"
    if id(value) in seen:
        return f"<see {seen[id(value)]}>"
    seen[id(value)] = path

    def inner(each: Any, step: str) -> str:
        return _words(each, seen, f"{path}{step}", where, depth + 1)

    if issubclass(kind, types.FunctionType):
        if not value.__code__.co_filename.startswith(where):
            return f"<function {value.__module__}.{value.__qualname__}>"
        parts = [
            value.__qualname__,
            value.__module__,
            repr(value.__doc__),
            _code_words(value.__code__),
            inner(value.__defaults__, ".__defaults__"),
            inner(value.__kwdefaults__, ".__kwdefaults__"),
            inner(value.__annotations__, ".__annotations__"),
            inner(value.__dict__, ".__dict__"),
            "cells "
            + ", ".join(
                f"{name}={inner(cell.cell_contents, f' {name}') if _is_full(cell) else UNSET}"
                for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ())
            ),
            "globals"
            if value.__globals__ is vars(sys.modules.get(value.__module__, types))
            else "OTHER GLOBALS",
        ]
        return f"<function {' | '.join(parts)}>"
    if issubclass(kind, type):
        home = sys.modules.get(value.__module__)
        if home is None or not _is_below(home, where):
            return f"<class {value.__module__}.{value.__qualname__}>"
        members = {
            name: member
            for name, member in type.__dict__["__dict__"].__get__(value).items()
            if name not in (*CLASS_INTERNALS, "_abc_impl", "__static_attributes__", "__firstlineno__")
        }
        if DEFERRED:
            # The function that evaluates them holds the names the class body had when it was made.
            for name in ("__annotate_func__", "__annotations_cache__"):
                members.pop(name, None)
            members["__annotations__"] = value.__annotations__
        body = "; ".join(f"{name}: {inner(members[name], f'.{name}')}" for name in sorted(members))
        bases = ", ".join(base.__qualname__ for base in value.__bases__)
        subs = ", ".join(sorted(sub.__qualname__ for sub in type.__subclasses__(value)))
        return f"<class {value.__qualname__}({bases}) subclasses [{subs}] of {type(value).__qualname__} {{{body}}}>"
    if issubclass(kind, types.ModuleType):
        return f"<module {value.__name__}>"
    if issubclass(kind, (classmethod, staticmethod)):
        return f"<{kind.__name__} {inner(value.__func__, '()')}>"
    if issubclass(kind, property):
        return f"<property {inner(value.fget, '.fget')} {inner(value.fset, '.fset')} {inner(value.fdel, '.fdel')}>"
    if issubclass(kind, types.MethodType):
        return f"<method {inner(value.__func__, '.__func__')} of {inner(value.__self__, '.__self__')}>"
    if issubclass(kind, functools.partial):
        return f"<partial {inner(value.func, '.func')} {inner(value.args, '.args')} {inner(value.keywords, '.keywords')}>"
    if kind is _wrapper:
        return f"<cached {inner(value.__wrapped__, '.__wrapped__')}>"
    if issubclass(kind, dict):
        items = ", ".join(
            f"{inner(key, ' key')}: {inner(each, f'[{key!r}]' if type(key) is str else '[]')}"
            for key, each in dict.items(value)
        )
        return f"{kind.__qualname__}{{{items}}}"
    if issubclass(kind, (list, tuple, collections.deque)):
        return f"{kind.__qualname__}[{', '.join(inner(each, f'[{at}]') for at, each in enumerate(value))}]"
    if issubclass(kind, (set, frozenset)):
        return f"{kind.__qualname__}{{{', '.join(sorted(inner(each, '{}') for each in value))}}}"
    home = sys.modules.get(kind.__module__)
    if home is None or not _is_below(home, where):
        return f"<{kind.__module__}.{kind.__qualname__}>"
    attributes = dict(getattr(value, "__dict__", {}))
    for owner in kind.__mro__:
        for name, member in vars(owner).items():
            if type(member) is types.MemberDescriptorType and hasattr(value, name):
                attributes[name] = member.__get__(value)
    body = ", ".join(f"{name}={inner(attributes[name], f'.{name}')}" for name in sorted(attributes))
    return f"<{kind.__qualname__} {body}>"


def _code_words(code: types.CodeType) -> str:
    lines = [(start, line) for start, _, line in _lines(code)]
    consts = [
        _code_words(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts
    ]
    fields = [
        getattr(code, name, None)
        for name in CODE_FIELDS
        if name not in ("co_filename", "co_linetable", "co_lnotab")
    ]
    return f"{fields!r} {lines!r} {consts!r}"
