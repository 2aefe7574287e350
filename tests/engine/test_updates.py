"""What an update does to a live module: small programs, one edit each, the module compared with what is expected."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)
Load = Callable[[str], "Program"]


class Program:
    """One module on disk, imported, that can be edited."""

    def __init__(self, folder: Path, source: str) -> None:
        self.name = f"edited_{next(_numbers)}"
        self.file = folder / f"{self.name}.py"
        self.file.write_text(source)
        self.module: types.ModuleType = __import__(self.name)
        hotswap.sync()

    def edit(self, source: str) -> hotswap.Report:
        self.file.write_text(source)
        return hotswap.sync()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    programs: list[Program] = []

    def make(source: str) -> Program:
        programs.append(Program(tmp_path, source))
        return programs[-1]

    yield make
    session.stop()
    for program in programs:
        sys.modules.pop(program.name, None)


LOOP = "T = {{}}\nfor i in range({}):\n    T[i] = i\n"


def test_edited_loop_makes_its_table_afresh_in_the_same_dict(load: Load) -> None:
    program = load(LOOP.format(3))
    held = program.module.T
    program.edit(LOOP.format(2))
    assert held == {0: 0, 1: 1}
    assert program.module.T is held
    assert program.module.i == 1


def test_edited_loop_keeps_what_the_program_added(load: Load) -> None:
    program = load(LOOP.format(2))
    program.module.T["added"] = 1
    program.edit(LOOP.format(1))
    assert program.module.T == {0: 0, 1: 1, "added": 1}


def test_new_augmentation_reaches_a_list_the_program_changed(load: Load) -> None:
    program = load("L = [1]\n")
    held = program.module.L
    held.append(9)
    program.edit("L = [1]\nL += [3]\n")
    assert held == [1, 9, 3]
    assert program.module.L is held


def test_refused_statement_leaves_containers_as_they_were(load: Load) -> None:
    program = load("L = [1]\nD = {}\n")
    report = program.edit("L = [1]\nD = {}\nL.append(2)\nD['x'] = 1\n1 / 0\n")
    assert report.status == "rejected"
    assert (program.module.L, program.module.D) == ([1], {})


REGISTRY = """\
H = []
T = {}
def on(key):
    def register(function):
        H.append(function)
        T[key] = function
        return function
    return register
"""


def test_refused_registration_is_withdrawn(load: Load) -> None:
    program = load(REGISTRY + "@on('a')\ndef handle():\n    return 1\n")
    old = program.module.handle
    report = program.edit(
        REGISTRY + "@on('b')\ndef handle():\n    return 2\n@on('c')\ndef more():\n    return 3\n1 / 0\n"
    )
    assert report.status == "rejected"
    assert [old] == program.module.H
    assert {"a": old} == program.module.T
    assert old() == 1


def test_definition_under_another_key_is_registered_once(load: Load) -> None:
    program = load(REGISTRY + "@on('a')\ndef handle():\n    return 1\n")
    program.edit(REGISTRY + "@on('b')\ndef handle():\n    return 2\n")
    assert [function() for function in program.module.H] == [2]
    assert {key: function() for key, function in program.module.T.items()} == {"b": 2}


def test_edited_dict_display_merges_with_live_changes(load: Load) -> None:
    program = load("D = {'a': 1, 'b': 2, 'c': 3}\n")
    held = program.module.D
    held["new"] = 9
    del held["c"]
    program.edit("D = {'a': 10, 'b': 2, 'c': 3, 'd': 4}\n")
    assert held == {"a": 10, "b": 2, "d": 4, "new": 9}
    assert program.module.D is held


def test_derived_value_that_the_program_changed_is_kept_and_named(load: Load) -> None:
    program = load("W = 2\nA = [W]\n")
    program.module.A.append("mine")
    report = program.edit("W = 3\nA = [W]\n")
    assert program.module.A == [2, "mine"]
    stale = [change for change in report.changes if change.action == "stale"]
    assert [change.qualname for change in stale] == ["A"]
    assert "depends on W" in stale[0].reason
    assert stale[0].advice == "# hotswap: rerun"


def test_derived_value_with_an_effect_is_kept_unless_asked_for(load: Load) -> None:
    source = "import time\nW = {}\nA = (W, time.time()){}\n"
    program = load(source.format(1, ""))
    before = program.module.A
    assert any(change.action == "stale" for change in program.edit(source.format(2, "")).changes)
    assert program.module.A is before
    program.edit(source.format(2, "  # hotswap: rerun"))
    program.edit(source.format(3, "  # hotswap: rerun"))
    assert program.module.A[0] == 3


def test_overloads_added_above_a_function_do_not_hide_it(load: Load) -> None:
    body = "def f(x):\n    return x\n"
    program = load("import typing\n" + body)
    program.edit("import typing\n@typing.overload\ndef f(x: int) -> int: ...\n" + body)
    assert program.module.f(3) == 3


def test_import_moved_under_type_checking_is_gone(load: Load) -> None:
    program = load("import json\nX = 1\n")
    program.edit("import typing\nif typing.TYPE_CHECKING:\n    import json\nX = 1\n")
    assert not hasattr(program.module, "json")


def test_instance_of_another_layout_is_refused_while_a_frame_holds_it(load: Load) -> None:
    program = load("class P:\n    __slots__ = ('x',)\n")
    held_by_this_frame = program.module.P()
    report = program.edit("class P:\n    __slots__ = ('x', 'y')\n")
    assert report.status == "rejected"
    assert report.error is not None
    assert "cannot move to the new layout" in report.error.message
    assert type(held_by_this_frame) is program.module.P


def test_removed_call_is_named_with_what_it_leaves(load: Load) -> None:
    source = "LOG = []\ndef note(word):\n    LOG.append(word)\n"
    program = load(source + "note(1)\n")
    report = program.edit(source)
    assert [(change.qualname, change.action) for change in report.changes] == [("note(1)", "removed")]
    assert "not undone" in report.changes[0].reason
    assert program.module.LOG == [1]


def test_removed_augmentation_is_taken_out_of_a_value_nobody_changed(load: Load) -> None:
    program = load("LOG = []\nLOG.append(1)\n")
    report = program.edit("LOG = []\n")
    assert [(change.qualname, change.action) for change in report.changes] == [("LOG", "re-ran")]
    assert program.module.LOG == []


def test_removed_augmentation_of_a_value_the_program_changed_is_named(load: Load) -> None:
    program = load("LOG = []\nLOG.append(1)\n")
    program.module.LOG.append(2)
    report = program.edit("LOG = []\n")
    assert [(change.qualname, change.action) for change in report.changes] == [("LOG", "stale")]
    assert program.module.LOG == [1, 2]


def test_rollback_brings_the_code_back_and_keeps_state(load: Load) -> None:
    program = load("N = []\ndef f():\n    return 1\n")
    program.module.N.append("state")
    first = program.edit("N = []\ndef f():\n    return 2\n").generation
    program.edit("N = []\ndef f():\n    return 3\n")
    with hotswap.watch(program.file.parent) as session:
        session.rollback(first)
    assert program.module.f() == 2
    assert program.module.N == ["state"]
    assert hotswap.sync().status == "unchanged"
    assert program.module.f() == 2


def test_temporary_name_that_is_added_with_its_deletion(load: Load) -> None:
    program = load("A = 1\n")
    report = program.edit("A = 1\n_tmp = [A, 2]\nB = sum(_tmp)\ndel _tmp\n")
    assert report.status == "applied", report
    assert program.module.B == 3
    assert not hasattr(program.module, "_tmp")


GUARDED = """
LOG = []


def checked(number):
    if number > 5:
        LOG.append(number)
    return number * 2


LIMIT = {}
DOUBLE = checked(LIMIT)
"""


def test_derivation_ends_before_a_branch_with_effects(load: Load) -> None:
    program = load(GUARDED.format(3))
    program.edit(GUARDED.format(4))
    assert program.module.DOUBLE == 8
    report = program.edit(GUARDED.format(9))
    assert (program.module.LIMIT, program.module.DOUBLE, program.module.LOG) == (9, 8, [])
    stale = [change for change in report.changes if change.qualname == "DOUBLE"]
    assert [change.action for change in stale] == ["stale"]
    assert "changes LOG in place" in stale[0].reason
    assert "it came to line 7" in stale[0].reason
    assert sys.gettrace() is None


def test_derivation_leaves_a_debugger_alone(load: Load) -> None:
    program = load(GUARDED.format(3))

    def trace(*_: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        report = program.edit(GUARDED.format(4))
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after is trace
    assert program.module.DOUBLE == 6
    assert "stale" in [change.action for change in report.changes]


UNWATCHABLE = """
LOG = []


def noted(number):
    try:
        return number
    finally:
        LOG.append(number)


def first(number):
    return noted(number) if number > 5 else number


def second(number):
    return noted(number) if number > 6 else first(number)


LIMIT = {}
TOTAL = first(LIMIT) + second(LIMIT)
"""


def test_function_that_cannot_be_watched_ends_the_derivation_wherever_it_is_called(load: Load) -> None:
    program = load(UNWATCHABLE.format(3))
    program.edit(UNWATCHABLE.format(4))
    assert program.module.TOTAL == 8
    report = program.edit(UNWATCHABLE.format(9))
    assert (program.module.TOTAL, program.module.LOG) == (8, [])
    assert "stale" in [change.action for change in report.changes if change.qualname == "TOTAL"]


FASTTYPES = "def f(kinds=frozenset([int, str, type(None)])):\n    return kinds\nsame = [str]\n"


def test_default_follows_a_builtin_that_nothing_hides_any_more(load: Load) -> None:
    hidden = "try:\n    unicode\nexcept NameError:\n    unicode, str = str, bytes\n"
    program = load("FIRST = [str]\n" + hidden + FASTTYPES)
    assert program.module.f() == {int, bytes, type(None)}
    report = program.edit("FIRST = [str]\n" + FASTTYPES)
    assert program.module.f() == {int, str, type(None)}
    assert program.module.same == [str]
    assert not [change for change in report.changes if change.action == "stale"], report


CALLS = """\
LIMIT = {}
SEEN = []
def noted(x):
    SEEN.append(x)
    return x
def listed(x):
    out = [type(x)]
    out.extend([x])
    return out
def f(a=listed(LIMIT), b={}(LIMIT)):
    return a, b
class C:
    def m(self, *, a=type(LIMIT)(LIMIT)):
        return a
"""


def test_default_that_calls_what_is_not_known_is_made_again_under_watch(load: Load) -> None:
    program = load(CALLS.format(1, "noted"))
    report = program.edit(CALLS.format(2, "noted"))
    assert program.module.f() == ([int, 2], 1)
    assert program.module.C().m() == 2
    assert program.module.SEEN == [1]
    assert [change.qualname for change in report.changes if change.action == "stale"] == ["f(b)"]


COUNTED = """\
class Counted({}):
    made = 0
    def __init__(self):
        Counted.made += 1
    def helper(self):
        return 1
def take():
    return Counted.__dict__.get("helper")
helper = take()
del Counted.helper
for name in ["other"]:
    delattr(Counted, name) if hasattr(Counted, name) else None
"""


def test_class_stays_where_it_only_stops_to_name_object(load: Load) -> None:
    program = load(COUNTED.format("object"))
    module = program.module
    module.Counted()
    module.Counted.added = 1
    report = program.edit(COUNTED.format("").replace("Counted()", "Counted"))
    assert module.Counted.made == 1
    assert module.Counted.added == 1
    assert not hasattr(module.Counted, "helper")
    assert not report.changes, report


DECORATOR = """\
from functools import wraps
SEEN = []
def mark(f):
    f.marked = True
    return f
def variant(normal):
    def decorator(other):
        @wraps({0})
        def wrapper(*args):
            return normal(*args)
        wrapper = mark(wrapper)
        wrapper.variant = {1}
        return wrapper
    return decorator
def sync(x):
    return x
@variant(sync)
def f(x):
    return x
TABLE = {{"f": f}}
"""


def test_decorator_that_marks_what_it_makes_is_applied_again(load: Load) -> None:
    program = load(DECORATOR.format("normal", 1))
    module = program.module
    module.f.program = "own"
    report = program.edit(DECORATOR.format("other", 2))
    assert (module.f.__name__, module.f.variant, module.f.marked) == ("f", 2, True)
    assert module.TABLE["f"] is module.f
    assert not [change for change in report.changes if change.action == "stale"], report


def test_decorator_that_marks_something_else_is_not(load: Load) -> None:
    program = load(DECORATOR.format("normal", "SEEN.append(1)"))
    module = program.module
    report = program.edit(DECORATOR.format("other", "SEEN.append(2)"))
    assert module.SEEN == [1]
    assert module.f.__name__ == "sync"
    assert [change.qualname for change in report.changes if change.action == "stale"] == ["f"]


def test_decorator_that_must_wait_for_the_commit_is_watched_then(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    head, tail = DECORATOR.split("def sync")
    source = load(head.format("normal", 1))
    user = load(f"from {source.name} import variant, SEEN\n" + ("def sync" + tail).format())
    new = head.replace("import wraps", "import WRAPPER_ASSIGNMENTS, wraps").replace(
        "{0}", "other, tuple(set(WRAPPER_ASSIGNMENTS))"
    )
    report = source.edit(new.format("", 2))
    assert (user.module.f.__name__, user.module.f.variant) == ("f", 2)
    assert user.module.TABLE["f"] is user.module.f
    report = source.edit(new.format("", "SEEN.append(2)"))
    assert (source.module.SEEN, user.module.f.variant) == ([], 2)
    assert [change.qualname for change in report.changes if change.action == "stale"] == ["f"]


def test_edited_function_whose_decorator_does_something_else_is_decorated_again(load: Load) -> None:
    program = load(DECORATOR.format("normal", 1))
    module = program.module
    source = DECORATOR.format("other", 2).replace("def f(x):", "def f(x, y=1):")
    report = program.edit(source)
    assert (module.f.__name__, module.f.variant, module.f.__wrapped__.__defaults__) == ("f", 2, (1,))
    assert module.TABLE["f"] is module.f
    assert not [change for change in report.changes if change.action == "stale"], report


def test_edited_function_whose_decorator_must_wait_is_decorated_again(load: Load) -> None:
    head, tail = DECORATOR.split("def sync")
    tail = ("def sync" + tail).format()
    source = load(head.format("normal", 1))
    user = load(f"from {source.name} import variant, SEEN\n{tail}")
    new = head.replace("import wraps", "import WRAPPER_ASSIGNMENTS, wraps").replace(
        "{0}", "other, tuple(set(WRAPPER_ASSIGNMENTS))"
    )
    user.file.write_text(f"from {source.name} import variant, SEEN\n{tail.replace('f(x)', 'f(x, y=1)')}")
    report = source.edit(new.format("", 2))
    function = user.module.f
    assert (function.__name__, function.variant, function.__wrapped__.__defaults__) == ("f", 2, (1,))
    assert user.module.TABLE["f"] is function
    assert not [change for change in report.changes if change.action == "stale"], report
