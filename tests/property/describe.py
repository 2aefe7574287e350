"""What modules hold, as plain values that compare: functions by code and lines, classes by their dicts.

Two processes that hold the same give the same description. An object that was met before is
described by where that was, so that two names for one object differ from two equal objects.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import functools
import sys
import types
from typing import Any

HIDDEN = {
    "__builtins__", "__cached__", "__loader__", "__spec__", "__file__", "__path__", "__package__",
    "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__", "__annotate_func__",
    "__annotations_cache__", "__annotate__", "_abc_impl", "__subclasshook__",
}  # fmt: skip
PLANTED = "planted"
# How the names begin that programs give to modules.
MODULES = ("mod", "prop")


def describe_modules(names: list[str], without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The namespaces of loaded modules, without what the test itself planted; `without` names
    of the form `module.name` are left out."""
    reader = Reader(names, without)
    out = {}
    for name in names:
        namespace = vars(sys.modules[name])
        out[name] = {
            key: reader.value(namespace[key], f"{name}.{key}")
            for key in sorted(namespace)
            if key not in HIDDEN and f"{name}.{key}" not in without
        }
    return out


class Reader:
    """Describes values and remembers which objects it has met."""

    def __init__(self, modules: list[str], without: frozenset[str]) -> None:
        self.modules = modules
        self.without = without
        self.met: dict[int, str] = {}
        self.alive: list[Any] = []

    def value(self, value: Any, path: str) -> Any:
        kind = type(value)
        if kind in (int, str, bytes, float, bool, complex, type(None), type(...), range):
            return f"{kind.__name__} {value!r}"
        if id(value) in self.met:
            return f"the same as {self.met[id(value)]}"
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}"
        if kind is tuple:
            return ["tuple", *(self.value(item, f"{path}[]") for item in value)]
        if kind in (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType):
            return f"builtin {value.__qualname__}"
        home = f"{getattr(value, '__module__', '')}.{str(getattr(value, '__qualname__', '')).split('.')[0]}"
        if home in self.without:
            return "left out"
        self.met[id(value)] = path
        self.alive.append(value)
        if kind is list:
            return ["list", *(self.value(item, f"{path}[]") for item in value if not planted(item))]
        if kind is dict:
            return [
                "dict",
                *(
                    [self.value(key, path), self.value(item, f"{path}[{key!r}]")]
                    for key, item in value.items()
                    if not planted(key)
                ),
            ]
        if kind in (set, frozenset):
            return [kind.__name__, *sorted(repr(item) for item in value if not planted(item))]
        if isinstance(value, types.FunctionType):
            return self.function(value, path)
        if isinstance(value, type):
            return self.class_(value, path)
        if isinstance(value, types.MethodType):
            return ["method", self.value(value.__func__, path), self.value(value.__self__, path)]
        if isinstance(value, (staticmethod, classmethod)):
            return [kind.__name__, self.value(value.__func__, path)]
        if isinstance(value, property):
            parts = (value.fget, value.fset, value.fdel, value.__doc__)
            return ["property", *(self.value(part, path) for part in parts)]
        if isinstance(value, functools.partial):
            return ["partial", *(self.value(part, path) for part in (value.func, value.args, value.keywords))]
        if isinstance(value, functools.cached_property):
            return ["cached_property", self.value(value.func, path)]
        if isinstance(value, enum.Enum):
            return ["member", self.value(type(value), path), value.name, self.value(value.value, path)]
        if type(value).__module__ in self.modules:
            # Attributes of live instances are the program's; they may be older than the source.
            return ["instance", self.value(type(value), path)]
        if hasattr(value, "__wrapped__"):
            return [kind.__name__, self.value(value.__wrapped__, path)]
        return f"{kind.__module__}.{kind.__qualname__}"

    def attributes(self, value: Any, path: str) -> Any:
        return {
            name: self.value(item, f"{path}.{name}")
            for name, item in sorted(getattr(value, "__dict__", {}).items())
            if not planted(name)
        }

    def function(self, function: types.FunctionType, path: str) -> Any:
        cells = []
        for cell in function.__closure__ or ():
            try:
                cells.append(self.value(cell.cell_contents, f"{path}()"))
            except ValueError:
                cells.append("empty")
        return {
            "": "function",
            "name": function.__qualname__,
            "module": function.__module__,
            "globals": function.__globals__.get("__name__"),
            "code": code(function.__code__),
            "defaults": self.value(function.__defaults__, f"{path}="),
            "kwdefaults": self.value(function.__kwdefaults__, f"{path}="),
            "annotations": self.value(dict(function.__annotations__), f"{path}:"),
            "doc": function.__doc__,
            "closure": cells,
            "attributes": self.attributes(function, path),
            "type_params": [str(item) for item in getattr(function, "__type_params__", ())],
        }

    def class_(self, cls: type, path: str) -> Any:
        if cls.__module__ not in self.modules:
            return f"class {cls.__module__}.{cls.__qualname__}"
        members = {
            name: self.value(value, f"{path}.{name}")
            for name, value in sorted(vars(cls).items())
            if name not in HIDDEN and not planted(name) and not name.startswith("__dataclass")
        }
        return {
            "": "class",
            "name": cls.__qualname__,
            "module": cls.__module__,
            "metaclass": type(cls).__qualname__,
            "bases": [self.value(base, f"{path}()") for base in cls.__bases__],
            "mro": [base.__qualname__ for base in cls.__mro__],
            "abstract": sorted(getattr(cls, "__abstractmethods__", ())),
            "fields": [
                [name, str(field.type), default_of(field), getattr(field, "kw_only", None)]
                for name, field in getattr(cls, "__dataclass_fields__", {}).items()
            ],
            "members": members,
        }  # fmt: skip


def default_of(field: Any) -> str:
    return "none" if field.default is dataclasses.MISSING else repr(field.default)


def planted(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PLANTED)


def constant(value: Any) -> str:
    return f"frozenset {sorted(map(repr, value))}" if isinstance(value, frozenset) else repr(value)


def instructions(value: types.CodeType) -> tuple[Any, Any]:
    """The same whether or not the file imports a name as a module.

    CPython looks that up to choose between two ways to call `name.attribute()`, also in
    functions whose own source is what it was.
    """
    body, lines = [], []
    for item in dis.get_instructions(value):
        if item.opname in ("CACHE", "PRECALL", "PUSH_NULL"):
            continue
        name = item.opname.replace("METHOD", "ATTR" if item.opname.startswith("LOAD") else "FUNCTION")
        jump = item.opcode in dis.hasjrel or item.opcode in dis.hasjabs
        argument = item.argrepr.replace("NULL|self + ", "").replace(" + NULL|self", "")
        argument = argument.replace("NULL + ", "").replace(" + NULL", "")
        inner = isinstance(item.argval, types.CodeType)
        body.append([name, "" if jump or inner else argument])
        line = getattr(item, "line_number", item.starts_line)
        if line is not None and (not lines or lines[-1] != line):
            lines.append(line)
    return body, lines


def code(value: types.CodeType) -> Any:
    """All that shows of a code object, the lines of every instruction included."""
    lines = list(value.co_lines()) if hasattr(value, "co_lines") else list(value.co_lnotab)
    body: Any = value.co_code.hex()
    if any(name.startswith(MODULES) for name in value.co_names):
        body, lines = instructions(value)
    return [
        value.co_name,
        getattr(value, "co_qualname", None),
        value.co_firstlineno,
        body,
        list(value.co_names),
        list(value.co_varnames),
        list(value.co_freevars),
        list(value.co_cellvars),
        value.co_flags,
        [value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount],
        [code(item) if isinstance(item, types.CodeType) else constant(item) for item in value.co_consts],
        [list(item) if isinstance(item, tuple) else item for item in lines],
    ]


def differences(live: Any, cold: Any, path: str = "") -> list[str]:
    """Where two descriptions differ, as lines for people."""
    if live == cold:
        return []
    if isinstance(live, dict) and isinstance(cold, dict):
        out = []
        for key in [*cold, *(key for key in live if key not in cold)]:
            here = f"{path}.{key}" if path else str(key)
            if key not in live:
                out.append(f"{here}: missing")
            elif key not in cold:
                out.append(f"{here}: should not be there")
            else:
                out += differences(live[key], cold[key], here)
        return out
    if isinstance(live, list) and isinstance(cold, list) and len(live) == len(cold):
        out = []
        for index, (one, other) in enumerate(zip(live, cold)):
            out += differences(one, other, f"{path}[{index}]")
        return out
    return [f"{path}: live {str(live)[:200]}, cold {str(cold)[:200]}"]
