"""What decorators compute from a docstring or a signature, where only these are edited."""

from __future__ import annotations

import importlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotswap

_numbers = itertools.count(1)

SHOW = """
import functools, inspect

def flat(value, seen=()):
    if value is None or isinstance(value, (str, int, float, bool)):
        return repr(value)
    if id(value) in seen:
        return "..."
    seen += (id(value),)
    if isinstance(value, (list, tuple)):
        return [flat(item, seen) for item in value]
    if isinstance(value, dict):
        return {str(key): flat(item, seen) for key, item in value.items()}
    if isinstance(value, (classmethod, staticmethod)):
        return [type(value).__name__, flat(value.__func__, seen), value.__doc__]
    if isinstance(value, property):
        return ["property", flat(value.fget, seen), flat(value.fset, seen), value.__doc__]
    if inspect.isfunction(value):
        cells = [flat(cell.cell_contents, seen) for cell in value.__closure__ or ()]
        try:
            signature = str(inspect.signature(value))
        except ValueError:
            signature = "none"
        return [
            value.__qualname__, value.__doc__, signature,
            flat(value.__defaults__, seen), flat(value.__kwdefaults__, seen),
            flat(value.__annotations__, seen), flat(vars(value), seen), cells,
        ]
    if hasattr(value, "__dict__") and not inspect.isclass(value):
        return [type(value).__name__, flat(vars(value), seen)]
    return str(value)

def show():
    called = [repr(eval(call)) for call in CALLS]
    held = vars(Thing)["work"] if "Thing" in globals() else work
    return json.loads(json.dumps([flat(held), called]))
"""
DECORATORS = {
    "docstring of the same function": """
def deco(fn):
    fn.__doc__ = (fn.__doc__ or "none").upper()
    fn.names = list(inspect.signature(fn).parameters)
    fn.hints = dict(fn.__annotations__)
    return fn
""",
    "a wrapper": """
def deco(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)
    wrapper.__doc__ = "[x] " + (fn.__doc__ or "")
    wrapper.names = list(inspect.signature(fn).parameters)
    wrapper.__signature__ = inspect.signature(fn)
    return wrapper
""",
    "a wrapper that copies": """
def deco(fn):
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)
    wrapper.__doc__ = fn.__doc__
    wrapper.__defaults__ = fn.__defaults__
    wrapper.__kwdefaults__ = fn.__kwdefaults__
    wrapper.__annotations__ = fn.__annotations__
    return wrapper
""",
    "variables of a wrapper": """
def deco(fn):
    signature = inspect.signature(fn)
    doc = (fn.__doc__ or "").lower()
    def wrapper(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return fn(*bound.args, **bound.kwargs), sorted(bound.arguments), doc
    return wrapper
""",
    "an object": """
class deco:
    def __init__(self, fn):
        self.fn = fn
        self.__doc__ = fn.__doc__
        self.title = (fn.__doc__ or "").title()
        self.signature = inspect.signature(fn)
    def __get__(self, instance, owner):
        return functools.partial(self, instance) if instance is not None else self
    def __call__(self, *args, **kwargs):
        return self.fn(*args, **kwargs), list(self.signature.parameters), self.title
""",
    "a generated function inside": """
def generate(target, fn):
    signature = inspect.signature(fn)
    parameters = signature.parameters.values()
    given = ", ".join(
        f"{p.name}={p.name}" if p.kind == p.KEYWORD_ONLY else p.name for p in parameters
    )
    bare = [p.replace(annotation=p.empty) for p in parameters]
    names = {"target": target, "fn": fn, "__name__": fn.__module__}
    head = f"def {fn.__name__}{signature.replace(parameters=bare)}:"
    exec(f"{head} return target(fn, {given})", names)
    made = names[fn.__name__]
    made.__defaults__, made.__kwdefaults__ = fn.__defaults__, fn.__kwdefaults__
    return functools.update_wrapper(made, fn)

def deco(fn):
    def target(fn, *args, **kwargs):
        return fn(*args, **kwargs)
    made = generate(target, fn)
    @functools.wraps(made)
    def outer(*args, **kwargs):
        return made(*args, **kwargs)
    outer.__doc__ = (fn.__doc__ or "") + "!"
    return outer
""",
}
PLACES = {
    "a function": ("@deco\ndef work({}):\n    {}\n    return a\n", ["work(5)"]),
    "under another": (
        "def plain(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n"
        "        return f(*a, **k)\n    return inner\n"
        "@plain\n@deco\ndef work({}):\n    {}\n    return a\n",
        ["work(5)"],
    ),
    "a method": (
        "class Thing:\n  @deco\n  def work(self, {}):\n    {}\n    return a\n",
        ["Thing().work(5)"],
    ),
    "a class method": (
        "class Thing:\n  @classmethod\n  @deco\n  def work(cls, {}):\n    {}\n    return a\n",
        [],
    ),
    "a static method": (
        "class Thing:\n  @staticmethod\n  @deco\n  def work({}):\n    {}\n    return a\n",
        [],
    ),
    "a property": (
        "class Thing:\n  @property\n  @deco\n  def work(self, {}):\n    {}\n    return a\n",
        [],
    ),
}
EDITS = {
    "the docstring": (("a, b=1", '"""Old text."""'), ("a, b=1", '"""New text."""')),
    "no docstring any more": (("a, b=1", '"""Old text."""'), ("a, b=1", "pass")),
    "docstring and body": (
        ("a, b=1", '"""Old text."""\n    x = 1'),
        ("a, b=1", '"""New text."""\n    x = 2'),
    ),
    "a default": (("a, b=1", '"""Text."""'), ("a, b=2", '"""Text."""')),
    "a default by keyword": (("a, *, b=1", '"""Text."""'), ("a, *, b=2", '"""Text."""')),
    "an annotation": (("a: int, b=1", '"""Text."""'), ("a: str, b=1", '"""Text."""')),
    "a kind": (("a, b=1", '"""Text."""'), ("a, *, b=1", '"""Text."""')),
    "one more": (("a, b=1", '"""Text."""'), ("a, b=1, c=2", '"""Text."""')),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    session = hotswap.watch(tmp_path)
    session.pause()
    yield tmp_path
    session.stop()


def load(folder: Path, source: str) -> tuple[Any, Path]:
    file = folder / f"computed{next(_numbers)}.py"
    file.write_text(source)
    module = importlib.import_module(file.stem)
    hotswap.sync()
    return module, file


def fresh(files: list[Path]) -> list[Any]:
    """What `show()` gives in each of some files at a fresh start."""
    code = "import importlib, json, sys; sys.path.insert(0, sys.argv[1]); print(json.dumps([" + (
        "importlib.import_module(name).show() for name in sys.argv[2:]]))"
    )
    names = [file.stem for file in files]
    command = [sys.executable, "-B", "-c", code, str(files[0].parent), *names]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    given: list[Any] = json.loads(out)
    return given


def stale(report: Any) -> list[str]:
    return [change.reason for change in report.changes if change.action == "stale"]


@pytest.mark.parametrize("decorator", DECORATORS)
def test_what_was_computed_follows(folder: Path, decorator: str) -> None:
    cases = []
    for place, edit in itertools.product(PLACES, EDITS):
        if place != "a function" and edit not in ("the docstring", "a kind"):
            continue
        (definition, calls), sides = PLACES[place], EDITS[edit]
        head = f"import json\nCALLS = {calls!r}\n{SHOW}{DECORATORS[decorator]}"
        old, new = (head + definition.format(*side) for side in sides)
        module, file = load(folder, old)
        held = vars(module.Thing)["work"] if hasattr(module, "Thing") else module.work
        cases.append((f"{decorator}, {place}, {edit}", module, file, held))
        file.write_text(new)
        report = hotswap.sync()
        assert (report.status, stale(report)) == ("applied", []), (place, edit)
    for (name, module, _, held), expected in zip(cases, fresh([file for _, _, file, _ in cases])):
        assert module.show() == expected, name
        live = vars(module.Thing)["work"] if hasattr(module, "Thing") else module.work
        assert live is held, name


def test_state_stays(folder: Path) -> None:
    source = '''
import functools, inspect
def deco(fn):
    count = 0
    seen = []
    @functools.wraps(fn)
    def wrapper(*args):
        nonlocal count
        count += 1
        seen.append(args)
        return fn(*args), count
    wrapper.seen = seen
    wrapper.__doc__ = "[counted] " + fn.__doc__
    wrapper.parts = inspect.getdoc(fn).split()
    wrapper.title = fn.__doc__.title()
    return wrapper
class Counted:
    def __init__(self, fn):
        self.fn, self.calls, self.title = fn, 0, fn.__doc__.title()
    def __call__(self, *args):
        self.calls += 1
        return self.fn(*args)
@deco
def work(a, gathered=[]):
    """Old text."""
    gathered.append(a)
    return len(gathered)
@Counted
def other(a):
    """Old text."""
    return a
'''
    module, file = load(folder, source)
    module.work(1)
    module.other(1)
    module.work.title = "Mine"
    file.write_text(source.replace("Old", "New"))
    report = hotswap.sync()
    assert module.work.__doc__ == "[counted] New text."
    assert module.work.parts == ["New", "text."]
    assert module.work.title == "Mine"
    assert module.work.seen == [(1,)]
    assert module.work(2) == (2, 2)
    assert (module.other.calls, module.other.title) == (1, "New Text.")
    assert stale(report) == ["its decorator computed title; the program changed it since"]


def test_an_edit_of_a_body_applies_no_decorator(folder: Path) -> None:
    source = '''
import builtins
def deco(fn):
    applied = vars(builtins).get("APPLIED", 0)
    fn.applied = applied
    return fn
@deco
def work():
    """Text."""
    return 1
'''
    module, file = load(folder, source)
    vars(importlib.import_module("builtins"))["APPLIED"] = 1
    try:
        file.write_text(source.replace("return 1", "return 2"))
        assert stale(hotswap.sync()) == []
        assert (module.work(), module.work.applied) == (2, 0)
    finally:
        del vars(importlib.import_module("builtins"))["APPLIED"]


REGISTERING = '''
import functools, inspect
TITLES = {}
def deco(fn):
    TITLES[fn.__name__] = fn.__doc__
    @functools.wraps(fn)
    def wrapper(*args):
        return fn(*args)
    MADE
    return wrapper
@deco
def work(a):
    """Old text."""
    return a
'''


def test_what_cannot_be_tried_is_stale(folder: Path) -> None:
    source = REGISTERING.replace("MADE", "wrapper.__doc__ = fn.__doc__.upper()")
    module, file = load(folder, source)
    file.write_text(source.replace("Old", "New"))
    report = hotswap.sync()
    assert module.work.__doc__ == "OLD TEXT."
    assert stale(report) == [
        "its decorator depends on the docstring that the function had; deco() changes TITLES"
    ]
    assert module.TITLES == {"work": "Old text."}


def test_one_that_asks_for_it_runs_again(folder: Path) -> None:
    source = REGISTERING.replace("MADE", "wrapper.__doc__ = fn.__doc__.upper()")
    source = source.replace("@deco", "@deco  # hotswap: rerun")
    module, file = load(folder, source)
    held = module.work
    file.write_text(source.replace("Old", "New"))
    assert stale(hotswap.sync()) == []
    assert (held.__doc__, module.TITLES) == ("NEW TEXT.", {"work": "New text."})


def test_what_shows_nothing_of_it_is_not(folder: Path) -> None:
    source = REGISTERING.replace("MADE", "pass")
    module, file = load(folder, source)
    file.write_text(source.replace("Old", "New"))
    assert stale(hotswap.sync()) == []
    assert module.work.__doc__ == "New text."


def test_nothing_else_is_renamed_on_trial(folder: Path) -> None:
    source = '''
class Base:
    def work(self):
        """Base."""
def deco(fn):
    method = getattr(Base, fn.__name__)
    method.__doc__ = method.__doc__ + " (function)"
    fn.__doc__ = fn.__doc__ + " (method)"
    return fn
@deco
def work():
    """Old text."""
'''
    module, file = load(folder, source)
    assert module.Base.work.__doc__ == "Base. (function)"
    file.write_text(source.replace("Old", "New"))
    hotswap.sync()
    assert module.Base.work.__doc__ == "Base. (function)"


def test_a_decorator_that_is_edited_as_well(folder: Path) -> None:
    source = '''
def deco(fn):
    fn.title = fn.__doc__.title()
    return fn
@deco
def work():
    """Old text."""
'''
    module, file = load(folder, source)
    file.write_text(source.replace("Old", "New").replace("title()", "upper()"))
    hotswap.sync()
    assert module.work.title == "NEW TEXT."
