"""Registries of code objects follow an edit: the new code of a function, and its new line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hotswap

REGISTRY = """\
import weakref


class Codes:
    names = {}


class Same(weakref.ref):
    # Equal only to one of the same object, as a mapping by identity has it.
    __slots__ = ("number",)

    def __new__(cls, referent, callback=None, /):
        self = weakref.ref.__new__(cls, referent, callback)
        self.number = id(referent)
        return self

    def __eq__(self, other):
        return self is other or self() is not None and self() is other()

    def __hash__(self):
        return self.number


KEPT = {kept}


def note(function):
    code = function.__code__
    {noted}
    return function
"""
USER = """\
from code_registry import Codes, KEPT, Same, note


@note
def first():
    return 1


@note
def second():
    return 7


class Third:
    @note
    def method(self):
        return 1


def found():
    codes = [(each.__name__, each.__code__) for each in (first, second, Third.method)]
    return len(KEPT or Codes.names), [{found} for name, code in codes]
"""
KINDS = {
    "dict of names": ("{}", "KEPT[code] = function.__name__", "KEPT.get(code)"),
    "dict of lists": ("{}", "KEPT[code] = [function.__name__]", "KEPT.get(code)"),
    "attribute of a class": ("None", "Codes.names[code] = function.__name__", "Codes.names.get(code)"),
    "set": ("set()", "KEPT.add(code)", "code in KEPT"),
    "values": ("{}", "KEPT[function.__name__] = code", "KEPT[name] is code"),
    "weak keys": ("weakref.WeakKeyDictionary()", "KEPT[code] = True", "KEPT.get(code)"),
    "weak values": (
        "weakref.WeakValueDictionary()",
        "KEPT[function.__name__] = code",
        "KEPT.get(name) is code",
    ),
    "weak references of the program": ("{}", "KEPT[Same(code, KEPT.pop)] = True", "KEPT.get(Same(code))"),
    "weak set": ("weakref.WeakSet()", "KEPT.add(code)", "code in KEPT"),
}
EDITS = {
    "body": lambda text: text.replace("return 1", "return 2"),
    "lines": lambda text: text.replace("@note\ndef first", "\n\n@note\ndef first"),
    "both": lambda text: text.replace("def first():\n    return 1", "def first():\n    # more\n    return 2"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("kind", KINDS)
def test_registry_of_code_is_as_after_a_fresh_start(
    kind: str, edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    kept, noted, found = KINDS[kind]
    (tmp_path / "code_registry.py").write_text(REGISTRY.replace("{kept}", kept).replace("{noted}", noted))
    user = USER.replace("{found}", found)
    (tmp_path / "code_user.py").write_text(user)
    session = hotswap.watch(tmp_path)
    try:
        session.pause()
        module = __import__("code_user")
        before = module.found()
        for text in (EDITS[edit](user), user):
            (tmp_path / "code_user.py").write_text(text)
            session.resume()
            report = hotswap.sync()
            session.pause()
            assert report.status in ("applied", "unchanged"), report
            command = [sys.executable, "-B", "-c", "import code_user; print(code_user.found())"]
            cold = subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
            )
            assert str(module.found()) == cold.stdout.strip() == str(before)
    finally:
        session.stop()
        for name in ("code_user", "code_registry"):
            sys.modules.pop(name, None)


def test_rejected_update_leaves_such_a_registry_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    kept, noted, found = KINDS["weak keys"]
    (tmp_path / "code_registry.py").write_text(REGISTRY.replace("{kept}", kept).replace("{noted}", noted))
    user = USER.replace("{found}", found)
    (tmp_path / "code_user.py").write_text(user)
    session = hotswap.watch(tmp_path)
    try:
        session.pause()
        module = __import__("code_user")
        before = module.found()
        # The last statement calls what is edited, so it fails only after the commit.
        late = EDITS["both"](user) + "\n\nMADE = Third().method() + first() / 0\n"
        (tmp_path / "code_user.py").write_text(late)
        assert hotswap.sync().status == "rejected"
        assert module.found() == before
        assert module.first() == 1
    finally:
        session.stop()
        for name in ("code_user", "code_registry"):
            sys.modules.pop(name, None)
