"""The oracle: what a compile of the whole file makes, beside what a compile of one skeleton makes."""

from __future__ import annotations

import ast
import importlib.util
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A code object that runs with a namespace of its own making: not the body of a class or a module.
CO_OPTIMIZED = 0x1
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
FIELDS = (
    "co_name",
    "co_qualname",
    "co_filename",
    "co_firstlineno",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_nlocals",
    "co_stacksize",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_code",
    "co_lnotab" if not hasattr(types.CodeType, "co_lines") else "co_linetable",
    "co_exceptiontable",
)
Key = tuple[tuple[str, ...], str, int]


def files_of(name: str) -> list[str] | None:
    """The sources of a module or package; None if it is not installed."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    if spec.submodule_search_locations is None:
        return [spec.origin]
    return sorted(
        str(path) for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py")
    )


class Oracle:
    """One file, compiled as a whole and as the import system does it."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file = file
        self.full = sites_of(compile(source, file, "exec", dont_inherit=True))
        self.values = set(lazy_values(source))
        self.compared: set[Key] = set()

    def check(self, skeleton: str, wanted: list[Key]) -> list[str]:
        """The differences between the functions at some places, and how many there are."""
        try:
            got = sites_of(compile(skeleton, self.file, "exec", dont_inherit=True))
        except SyntaxError as error:
            return [f"does not compile: {error}"]
        differences = []
        for path, name, line in wanted:
            key = (tuple(path), name, line)
            self.compared.add(key)
            left, right = self.full.get(key, []), got.get(key, [])
            if len(left) != len(right):
                differences.append(f"{key}: {len(left)} in the file, {len(right)} in the skeleton")
            for whole, single in zip(left, right):
                differences.extend(f"{key}: {each}" for each in differing(whole, single))
        return differences

    def missed(self) -> list[str]:
        """The functions of the file that no skeleton was compiled for."""
        return [str(key) for key in self.full if key not in self.compared and key[1:] not in self.values]

    def counts(self) -> tuple[int, int]:
        """Functions that were compared, and code objects with those inside them."""
        codes = [code for key in self.compared for code in self.full.get(key, [])]
        return len(codes), sum(1 + sum(1 for _ in inside(code)) for code in codes)


def lazy_values(source: bytes) -> Iterator[tuple[str, int]]:
    """The names and lines of type aliases and bounds: code, though no function of the program has it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, getattr(ast, "TypeAlias", ())):
            yield node.name.id, node.lineno
        elif isinstance(node, getattr(ast, "TypeVar", ())):
            yield node.name, node.lineno


def nested(code: types.CodeType) -> list[types.CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]


def inside(code: types.CodeType) -> Iterator[types.CodeType]:
    for inner in nested(code):
        yield inner
        yield from inside(inner)


def sites_of(unit: types.CodeType) -> dict[Key, list[types.CodeType]]:
    """The functions of a module and of its classes, by their classes, name and line."""
    found: dict[Key, list[types.CodeType]] = {}

    def collect(code: types.CodeType, path: tuple[str, ...]) -> None:
        for inner in nested(code):
            name = inner.co_name
            if name in COMPREHENSIONS or name.startswith("<generic parameters of"):
                collect(inner, path)
            elif inner.co_flags & CO_OPTIMIZED:
                found.setdefault((path, name, inner.co_firstlineno), []).append(inner)
            else:
                collect(inner, (*path, name))

    collect(unit, ())
    return found


def differing(whole: types.CodeType, single: types.CodeType) -> list[str]:
    """What two code objects do not have in common, with those inside them."""
    differences = [
        f"{whole.co_name}.{field}: {getattr(whole, field)!r:.200} != {getattr(single, field)!r:.200}"
        for field in FIELDS
        if hasattr(whole, field) and getattr(whole, field) != getattr(single, field)
    ]
    if hasattr(whole, "co_positions") and list(whole.co_positions()) != list(single.co_positions()):
        differences.append(f"{whole.co_name}.co_positions()")
    if len(whole.co_consts) != len(single.co_consts):
        return [*differences, f"{whole.co_name}.co_consts: {whole.co_consts} != {single.co_consts}"]
    for left, right in zip(whole.co_consts, single.co_consts):
        if isinstance(left, types.CodeType) and isinstance(right, types.CodeType):
            differences.extend(differing(left, right))
        elif exact(left) != exact(right):
            differences.append(f"{whole.co_name}.co_consts: {left!r} != {right!r}")
    return differences


def exact(constant: Any) -> Any:
    """A constant in a form that tells 1 from True and 0.0 from -0.0."""
    if isinstance(constant, tuple):
        return tuple, tuple(exact(each) for each in constant)
    if isinstance(constant, frozenset):
        return frozenset, frozenset(exact(each) for each in constant)
    return type(constant), repr(constant)
