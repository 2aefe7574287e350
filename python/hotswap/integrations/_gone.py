"""Registrations that an edit took out of a source: a decorator or a call that is not there any more.

The statement is gone, so nothing runs that could replace what it had registered. It is read off the old
source, as far as it can be understood without running anything.
"""

from __future__ import annotations

import builtins
import sys
from collections import Counter

from hotswap._hotswap import peek
from hotswap._plugins import shared, update_diff
from hotswap.integrations._later import Later
from hotswap.integrations._registrations import Definition, Outcome, real_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    import re
    from collections.abc import Iterator
    from dataclasses import dataclass
    from typing import Any
else:
    from hotswap._plain import dataclass

    ast, re = Later("ast"), Later("re")

UNKNOWN = object()
"""A value that cannot be told without running code."""
_REGISTERS = r"(?m)^-\s*(@[\w.]+|[\w.]+\()"
_HUNK = r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@"


@dataclass(frozen=True)
class GoneCall:
    """`owner.method(...)`, as a decorator of a definition that is still there or as a statement."""

    owner: Any
    method: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    definition: Definition | None
    """What it decorated; None: it was a statement."""
    node: Any
    """The expression as it was written."""
    namespace: dict[str, Any]
    """The module's."""
    statements: list[Any]
    """What the module's source consists of now."""

    def argument(self, position: int, name: str) -> Any:
        """The argument of this position or name; None where it was left out, or cannot be told."""
        value = self.keywords.get(name)
        if value is None and position < len(self.arguments):
            value = self.arguments[position]
        return None if value is UNKNOWN else value


def gone_calls(outcome: Outcome) -> list[GoneCall]:
    """The calls of methods at the top level that the applied files of this update have no more.

    A function that was called by its bare name is the owner itself, its method `__call__`.
    """
    known = shared()
    if "gone calls" not in known:
        known["gone calls"] = _find(outcome)
    found: list[GoneCall] = known["gone calls"]
    return found


def _find(outcome: Outcome) -> list[GoneCall]:
    if not outcome.applied_files:
        return []
    diff = update_diff()
    if not re.search(_REGISTERS, diff):
        return []
    found: list[GoneCall] = []
    for file, hunks in _files(diff):
        if real_path(file) not in outcome.applied_files:
            continue
        for name, module in tuple(sys.modules.items()):
            if real_path(peek(module, "__file__") or "") == real_path(file):
                found += _gone_from(name, module.__dict__, file, hunks)
    return found


def _gone_from(module: str, namespace: dict[str, Any], file: str, hunks: list[str]) -> Iterator[GoneCall]:
    try:
        with open(file, encoding="utf-8", newline="") as source:
            new = source.read()
        old = _before(new.splitlines(keepends=True), hunks)
        if old is None:
            return
        statements = ast.parse(new).body
        written, now = _calls(ast.parse(old).body), _calls(statements)
    except (OSError, ValueError, SyntaxError):
        return
    still = Counter(key for key, _, _ in now)
    for key, call, function in written:
        if still[key]:
            still[key] -= 1
            continue
        target = call.func if isinstance(call, ast.Call) else call
        if not isinstance(target, (ast.Attribute, ast.Name)):
            continue
        method = target.attr if isinstance(target, ast.Attribute) else "__call__"
        owner = value_of(target.value if isinstance(target, ast.Attribute) else target, namespace)
        if owner is UNKNOWN:
            continue
        arguments, keywords = (call.args, call.keywords) if isinstance(call, ast.Call) else ([], [])
        yield GoneCall(
            owner,
            method,
            tuple(value_of(argument, namespace) for argument in arguments),
            {keyword.arg: value_of(keyword.value, namespace) for keyword in keywords if keyword.arg},
            None if function is None else (module, function),
            call,
            namespace,
            statements,
        )


def _calls(body: list[Any]) -> list[tuple[tuple[str, str | None], Any, str | None]]:
    """The decorators and statements that may register, each with a key by which it is found again."""
    found: list[tuple[tuple[str, str | None], Any, str | None]] = []
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                found.append(((ast.dump(decorator), node.name), decorator, node.name))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found.append(((ast.dump(node.value), None), node.value, None))
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                found += _calls(getattr(node, part, []))
    return found


def value_of(node: Any, namespace: dict[str, Any]) -> Any:
    """What a name, attribute, constant or display of them is now; UNKNOWN for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return namespace.get(node.id, getattr(builtins, node.id, UNKNOWN))
    if isinstance(node, ast.Attribute):
        owner = value_of(node.value, namespace)
        return UNKNOWN if owner is UNKNOWN else peek(owner, "__dict__", {}).get(node.attr, UNKNOWN)
    if isinstance(node, (ast.List, ast.Tuple)):
        return [value_of(item, namespace) for item in node.elts]
    return UNKNOWN


def _files(diff: str) -> Iterator[tuple[str, list[str]]]:
    file: str | None = None
    hunks: list[str] = []
    lines = diff.splitlines(keepends=True)
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if line.startswith("--- ") and following.startswith("+++ "):
            if file is not None:
                yield file, hunks
            file, hunks = line[4:].rstrip("\n"), []
        elif not (line.startswith("+++ ") and not hunks):
            hunks.append(line)
    if file is not None:
        yield file, hunks


def _before(new: list[str], hunks: list[str]) -> str | None:
    """The text that the diff was made from; None if it does not lead to this one."""
    old: list[str] = []
    at = 0
    for line in hunks:
        hunk = re.match(_HUNK, line)
        if hunk:
            start = int(hunk[1]) - (hunk[2] != "0")
            old += new[at:start]
            at = start
        elif line.startswith("-"):
            old.append(line[1:])
        elif line.startswith(("+", " ")):
            if at >= len(new) or new[at].rstrip("\r\n") != line[1:].rstrip("\r\n"):
                return None
            if line[0] == " ":
                old.append(new[at])
            at += 1
    return "".join(old + new[at:])
