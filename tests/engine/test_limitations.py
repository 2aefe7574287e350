"""What docs/limitations.md names as not done: what then holds, and what the report says about it."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
import textwrap
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hotswap

_numbers = itertools.count(1)


class Program:
    """A module on disk, imported, that can be edited; others may stand beside it."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.name = f"limited_{next(_numbers)}"
        self.file = folder / f"{self.name}.py"
        self.text = textwrap.dedent(source)
        self.file.write_text(self.text)
        importlib.invalidate_caches()
        self.module: types.ModuleType = importlib.import_module(self.name)
        hotswap.sync()

    def sub(self, *replacements: tuple[str, str], status: str = "applied") -> hotswap.Report:
        """Edit by replacing text, update, and insist on what becomes of it."""
        for old, new in replacements:
            assert self.text.count(old) == 1, f"{old!r} is there {self.text.count(old)} times"
            self.text = self.text.replace(old, new)
        self.file.write_text(self.text)
        report = hotswap.sync()
        assert report.status == status, report
        return report


Load = Callable[[str], Program]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    monkeypatch.syspath_prepend(str(tmp_path))
    session = hotswap.watch(tmp_path)
    session.pause()
    before = set(sys.modules)
    yield lambda source: Program(tmp_path, source)
    session.stop()
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def said(report: hotswap.Report, name: str) -> str:
    """All that the report has about a name, as one text."""
    lines = [
        f"{change.action}: {change.reason}"
        for change in report.changes
        if change.qualname == name or change.qualname.startswith(f"{name} ")
    ]
    assert lines, [(change.qualname, change.action, change.reason) for change in report.changes]
    return "; ".join(lines)


# Registrations


def test_plain_value_that_a_removed_statement_had_entered(load: Load) -> None:
    program = load("NAMES = []\nNAMES.append('one')\n")
    program.module.NAMES.append("live")
    report = program.sub(("NAMES.append('one')\n", ""))
    assert program.module.NAMES == ["one", "live"]
    assert "it cannot be made again without effects, or the program changed it" in said(report, "NAMES")


def test_plain_value_that_a_removed_statement_had_entered_elsewhere(load: Load) -> None:
    other = load("NAMES = []\n")
    program = load(f"import {other.name} as other\nother.NAMES.append('one')\n")
    report = program.sub(("other.NAMES.append('one')\n", ""))
    assert other.module.NAMES == ["one"]
    assert "what it did when it ran is not undone" in said(report, "other.NAMES.append('one')")


def test_registration_in_c_stays(load: Load) -> None:
    program = load(
        """\
        import abc
        class Shape(abc.ABC): pass
        class Square: pass
        Shape.register(Square)
        """
    )
    report = program.sub(("Shape.register(Square)\n", ""))
    assert issubclass(program.module.Square, program.module.Shape)
    assert "what it did when it ran is not undone" in said(report, "Shape.register(Square)")


def test_attribute_that_a_removed_decorator_had_set(load: Load) -> None:
    program = load(
        """\
        class App: handler = None
        app = App()
        def handles(function):
            app.handler = function
            return function
        @handles
        def first(): return 1
        """
    )
    held = program.module.first
    program.sub(("@handles\ndef first(): return 1\n", ""))
    assert program.module.app.handler is held


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason="an AttributeError says whose attribute it is since 3.10"
)
def test_statement_that_needs_what_the_commit_brings_runs_twice(load: Load) -> None:
    made = load("class Counter:\n    count = 0\nCOUNTER = Counter()\n")
    program = load(
        f"""\
        from {made.name} import COUNTER
        def start(counter):
            counter.count += 1
            return counter.more()
        """
    )
    made.file.write_text(made.text.replace("count = 0", "count = 0\n    def more(self): return 2"))
    report = program.sub(("counter.more()\n", "counter.more()\nSTART = start(COUNTER)\n"))
    assert report.status == "applied" and program.module.START == 2
    assert program.module.COUNTER.count == 2
    (note,) = report.notes
    assert "failed for want of what the commit brings and ran again after it" in note


# Running code


def test_suspended_call_without_a_counterpart_finishes_in_its_old_code(load: Load) -> None:
    program = load(
        """\
        def numbers():
            yield 1
            yield 2
        """
    )
    running = program.module.numbers()
    assert next(running) == 1
    report = program.sub(("yield 1", "yield 10; yield 15"), ("yield 2", "yield 20"))
    (pending,) = report.pending
    assert pending.qualname == "numbers" and pending.line == 2
    assert pending.reason.startswith("it is suspended in the old code and goes on there: ")
    assert list(running) == [2]
    assert list(program.module.numbers()) == [10, 15, 20]


def test_live_closure_that_would_capture_another_variable(load: Load) -> None:
    program = load(
        """\
        HELD = []
        def make(a, b):
            def inner(): return a
            HELD.append(inner)
            return None
        """
    )
    program.module.make(1, 2)
    report = program.sub(("return a", "return a + b"))
    assert program.module.HELD[0]() == 1
    (pending,) = report.pending
    assert pending.qualname == "make.<locals>.inner"
    assert pending.reason == "it was made before `b` was captured, and has no cell for it"
    program.module.make(1, 2)
    assert program.module.HELD[-1]() == 3


# Statements with effects


def test_edited_call_runs_once_more(load: Load) -> None:
    program = load("import builtins\nLOG = []\ndef note(x): LOG.append(str(x))\nnote(1)\n")
    report = program.sub(("note(1)", "note(2)"))
    assert program.module.LOG == ["1", "2"]
    assert report.changes


def test_removed_call_is_not_undone(load: Load) -> None:
    program = load("LOG = []\ndef note(x): LOG.append(str(x))\nnote(1)\n")
    report = program.sub(("note(1)\n", ""))
    assert program.module.LOG == ["1"]
    assert "what it did when it ran is not undone" in said(report, "note(1)")


def test_what_a_failed_statement_did_outside_is_named(load: Load, tmp_path: Path) -> None:
    program = load("import os\n")
    made = tmp_path / "made"
    report = program.sub(("import os\n", f"import os\nos.mkdir({str(made)!r})\n1 / 0\n"), status="rejected")
    assert made.is_dir()
    assert any("had run; what it did outside the module is not undone" in note for note in report.notes)


# Derived values


def test_value_made_by_an_unknown_call_is_stale(load: Load) -> None:
    program = load("import time\nBASE = 1\nSTAMP = time.time() + BASE\n")
    before = program.module.STAMP
    report = program.sub(("BASE = 1", "BASE = 2"))
    assert before == program.module.STAMP
    assert "depends on BASE" in said(report, "STAMP") and "time.time" in said(report, "STAMP")


def test_values_that_instances_got_from_an_edited_init_stay(load: Load) -> None:
    program = load(
        """\
        class Conf:
            def __init__(self): self.port = 1
        touched = Conf()
        """
    )
    made = program.module.Conf()
    program.module.touched.port = 7
    program.sub(("self.port = 1", "self.port = 2"))
    assert made.port == 1 and program.module.touched.port == 7 and program.module.Conf().port == 2


def test_instance_whose_making_may_not_be_harmless(load: Load) -> None:
    program = load(
        """\
        class Conf:
            def __init__(self): self.port = 1; print("made")
        conf = Conf()
        """
    )
    report = program.sub(("self.port = 1", "self.port = 2"))
    assert program.module.conf.port == 1
    assert "depends on Conf()" in said(report, "conf") and "not known to be harmless" in said(report, "conf")


def test_name_that_held_something_else_in_between(load: Load) -> None:
    program = load(
        """\
        import time
        X = time.time()
        Y = (X, "one")
        X = 2
        """
    )
    report = program.sub(('(X, "one")', '(X, "two")'))
    assert "what X held there cannot be made again" in said(report, "Y")


def test_augmentation_that_cannot_be_made_from_the_start(load: Load) -> None:
    program = load("import time\nX = time.time()\nX += 1\n")
    before = program.module.X
    report = program.sub(("X += 1", "X += 2"))
    assert before == program.module.X
    assert "it would be augmented twice" in said(report, "X")


def test_entry_whose_value_changed(load: Load) -> None:
    program = load("Y = 1\nX = []\nX.append(Y)\n")
    program.module.X.append("live")
    report = program.sub(("Y = 1", "Y = 2"))
    assert program.module.X == [1, "live"]
    assert any("what was put into it depends on Y" in change.reason for change in report.changes)


# Classes


def test_instance_in_a_frozenset_keeps_the_class_from_moving(load: Load) -> None:
    program = load(
        """\
        class Point:
            __slots__ = ("x",)
        HELD = frozenset([Point()])
        """
    )
    report = program.sub(('("x",)', '("x", "y")'), status="rejected")
    assert report.error is not None and "frozenset" in report.error.message


def test_class_of_another_layout_is_replaced(load: Load) -> None:
    program = load('class Point:\n    __slots__ = ("x",)\npoint = Point()\n')
    old = program.module.Point
    report = program.sub(('("x",)', '("x", "y")'))
    assert program.module.Point is not old and type(program.module.point) is program.module.Point
    assert "CPython cannot change its layout or bases in place, so a new class took its place" in said(
        report, "Point"
    )


def test_new_attribute_that_needs_an_argument(load: Load) -> None:
    program = load(
        """\
        class Conf:
            def __init__(self, name): self.name = name
        """
    )
    conf = program.module.Conf("a")
    report = program.sub(("self.name = name", "self.name = name; self.label = name.upper()"))
    assert not hasattr(conf, "label")
    assert "1 instances lack it" in said(report, "Conf.label")
    (change,) = [change for change in report.changes if change.qualname == "Conf.label"]
    assert "__hotswap_migrate__" in change.advice


def test_new_attribute_that_holds_a_function(load: Load) -> None:
    program = load(
        """\
        class Conf:
            def __init__(self, name):
                self.size = 1
        """
    )
    conf = program.module.Conf("a")
    report = program.sub(
        ("def __init__(self, name):", "def __init__(self, name, limit=3):"),
        (
            "self.size = 1",
            "self.size = 1; self.ask = lambda: self.size; self.call = lambda: name; "
            "self.most = lambda: limit; self.same = lambda name: name",
        ),
    )
    assert not hasattr(conf, "ask") and not hasattr(conf, "call")
    assert "a function in its value uses the instance" in said(report, "Conf.ask")
    assert "its value needs an argument of __init__" in said(report, "Conf.call")
    assert conf.most() == 3 and conf.same(4) == 4


def test_cached_result_that_may_have_effects(load: Load) -> None:
    program = load(
        """\
        import functools, time
        LIMIT = 1
        @functools.lru_cache(maxsize=None)
        def limit():
            time.sleep(0)
            return LIMIT
        limit()
        """
    )
    report = program.sub(("LIMIT = 1", "LIMIT = 2"))
    assert program.module.limit() == 1
    assert "its cached result was made with what changed" in said(report, "limit")
    program.module.limit.cache_clear()
    assert program.module.limit() == 2


def test_decorator_whose_product_holds_state(load: Load) -> None:
    program = load(
        """\
        import time
        STEP = 1
        def counted(function):
            started = time.time()
            step = STEP
            def wrapper(): return function() + step
            return wrapper
        @counted
        def one(): return 1
        """
    )
    report = program.sub(("STEP = 1", "STEP = 10"))
    assert program.module.one() == 2
    assert "its decorator depends on" in said(report, "one")


def test_class_that_its_decorator_replaced(load: Load) -> None:
    program = load(
        """\
        def sub(cls):
            class Wrapped(cls): pass
            return Wrapped
        class A: pass
        class B: pass
        @sub
        class C(A):
            def f(self): return 1
        """
    )
    report = program.sub(("class C(A)", "class C(B)"))
    assert not issubclass(program.module.C, program.module.B)
    assert "the name holds another class now" in said(report, "C")
    program.sub(("return 1", "return 2"))
    assert program.module.C().f() == 2


def test_members_that_a_hook_with_effects_saw_when_the_class_was_made(load: Load) -> None:
    program = load(
        """\
        seen = []
        class Base:
            def __init_subclass__(cls):
                seen.append(cls)
                cls.names = sorted(n for n in vars(cls) if n[0] != "_")
        class Sub(Base):
            a = 1
        """
    )
    program.sub(("a = 1", "a = 1; b = 2"))
    assert program.module.Sub.b == 2 and program.module.Sub.names == ["a"]
    assert program.module.seen == [program.module.Sub]


# Imports


def test_name_keeps_its_place_when_its_statement_moves(load: Load) -> None:
    program = load("A = 1\nB = 2\nC = 3\n")
    program.sub(("A = 1\nB = 2\n", "B = 2\nA = 1\n"), status="unchanged")
    names = [name for name in vars(program.module) if len(name) == 1]
    assert names == ["A", "B", "C"]


def test_new_name_stands_last_among_thousands(load: Load) -> None:
    program = load("A = 1\nC = 3\nglobals().update({f'name{number}': 0 for number in range(2_000)})\n")
    program.sub(("C = 3", "B = 2\nC = 3"))
    names = [name for name in vars(program.module) if len(name) == 1]
    assert names == ["A", "C", "B"]


# References


def test_weak_reference_to_a_replaced_class_stays(load: Load) -> None:
    program = load(
        """\
        import weakref
        class Point:
            __slots__ = ("x",)
        ref = weakref.ref(Point)
        """
    )
    old = program.module.Point
    program.sub(('("x",)', '("x", "y")'))
    assert program.module.ref() is old is not program.module.Point


def test_member_of_a_frozenset_stays_and_is_counted(load: Load) -> None:
    program = load(
        """\
        class Point:
            __slots__ = ("x",)
        KINDS = frozenset([Point])
        """
    )
    report = program.sub(('("x",)', '("x", "y")'))
    assert program.module.Point not in program.module.KINDS
    assert "1 reference(s) to the old object stay: an element of a frozenset" in said(report, "Point")


# Source that is not known, CPython builds


def test_copy_of_a_code_object_is_not_found(load: Load) -> None:
    program = load(
        "import types\ndef f(): return 1\ng = types.FunctionType(f.__code__.replace(co_name='g'), globals())\n"
    )
    copy = program.module.g
    program.sub(("return 1", "return 2"))
    assert program.module.f() == 2 and copy() == 1


def test_module_without_source_is_named_and_left_alone(load: Load, tmp_path: Path) -> None:
    import py_compile

    source = tmp_path / "sourceless.py"
    source.write_text("VALUE = 1\n")
    py_compile.compile(str(source), cfile=str(tmp_path / "sourceless.pyc"))
    os.remove(source)
    importlib.invalidate_caches()
    importlib.import_module("sourceless")
    hotswap.sync()
    with hotswap.watch(tmp_path) as session:
        assert session.status()["uncovered"]["sourceless"] == "only its .pyc is there"


# Hotswap run


def run_program(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    words = [str(Path(sys.executable).with_name("hotswap")), "run", str(script)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=folder)


def test_frames_below_the_first_one_of_a_program(tmp_path: Path) -> None:
    text = "import inspect\nfor frame in inspect.stack(): print(frame.filename)\n1 / 0\n"
    done = run_program(tmp_path, text)
    first, *below = done.stdout.splitlines()
    assert Path(first).name == "script.py"
    assert below and all("hotswap" in name for name in below)
    assert done.stderr.count("File ") == 1


def test_module_with_the_name_of_one_that_hotswap_imports(tmp_path: Path) -> None:
    (tmp_path / "_socket.py").write_text("own = True\n")
    done = run_program(tmp_path, "import _socket\nprint(hasattr(_socket, 'own'))\n")
    assert done.stdout == "False\n", done.stderr


def test_module_with_the_name_of_one_that_hotswap_imports_later(tmp_path: Path) -> None:
    (tmp_path / "logging.py").write_text("own = True\n")
    (tmp_path / "other.py").write_text("value = 1\n")
    text = """\
import hotswap, logging, other, pathlib
pathlib.Path(other.__file__).write_text("value = 2\\n")
print(logging.own, hotswap.sync().status, other.value)
"""
    done = run_program(tmp_path, text)
    assert done.stdout == "True applied 2\n", done.stderr


def test_second_thread(tmp_path: Path) -> None:
    text = """\
import sys, threading, time
while len(sys._current_frames()) == 1:
    time.sleep(0.01)
print([thread.name for thread in threading.enumerate()])
"""
    done = run_program(tmp_path, text)
    assert done.stdout == "['MainThread']\n", done.stderr


def test_second_thread_of_a_program_that_has_threads(tmp_path: Path) -> None:
    text = """\
import threading, hotswap
hotswap.watch()
print(threading.enumerate()[1].name)
"""
    (tmp_path / "main.py").write_text(text)
    words = [sys.executable, "main.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "hotswap\n", done.stderr


# Processes started by the program


def test_child_that_is_started_anew_does_not_watch(load: Load) -> None:
    load("A = 1\n")
    words = [sys.executable, "-c", "import sys; print('hotswap' in sys.modules)"]
    assert subprocess.run(words, capture_output=True, text=True, timeout=60).stdout == "False\n"


# Earlier generations


def test_old_text_that_comes_back_by_hand_runs_anew(load: Load) -> None:
    program = load("A = 1\nCOUNTS = dict(a=1)\n")
    program.module.COUNTS["live"] = 1
    program.sub(("COUNTS = dict(a=1)\n", ""))
    program.sub(("A = 1\n", "A = 1\nCOUNTS = dict(a=1)\n"))
    assert program.module.COUNTS == {"a": 1}


def test_module_of_a_removed_import_stays_loaded(load: Load) -> None:
    program = load("A = 1\nimport colorsys\n")
    program.sub(("import colorsys\n", ""))
    assert not hasattr(program.module, "colorsys") and "colorsys" in sys.modules


# More on derived values


def test_run_under_watch_that_stores_in_a_cache(load: Load) -> None:
    program = load(
        """\
        BASE = 1
        CACHE = {}
        class Strategy:
            def __init__(self, base): self.base = base
        def make(base, kind=Strategy):
            found = CACHE.get(base)
            if found is None:
                found = CACHE[base] = kind(base)
            return found
        X = make(BASE)
        """
    )
    report = program.sub(("BASE = 1", "BASE = 2"))
    assert program.module.X.base == 1 and list(program.module.CACHE) == [1]
    assert "which changes CACHE in place" in said(report, "X")


def test_run_that_takes_too_long_to_be_watched(load: Load) -> None:
    program = load(
        """\
        BASE = 1
        class Table:
            def __init__(self, base):
                self.rows = {}
                for at in range(20_000):
                    self.rows[at] = base
        X = [Table][0](BASE)
        """
    )
    report = program.sub(("BASE = 1", "BASE = 2"))
    assert program.module.X.rows[0] == 1
    assert "depends on BASE; takes too long to be watched" in said(report, "X")


def test_watched_run_whose_thread_waits_for_its_turn(load: Load) -> None:
    program = load(
        """\
        BASE = 1
        def step(number):
            return number & 7
        def steps():
            for number in range(20_000):
                step(number)
        class Table:
            def __init__(self, base):
                steps()
                self.total = base
        X = [Table][0](BASE)
        """
    )
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            sum(range(1_000))

    others = [threading.Thread(target=work) for _ in range(5)]
    for other in others:
        other.start()
    try:
        report = program.sub(("BASE = 1", "BASE = 2"))
    finally:
        ended.set()
        for other in others:
            other.join()
    assert program.module.X.total == 2, said(report, "X")


def test_derived_value_that_keeps_hold_of_the_names_of_its_module(load: Load) -> None:
    program = load(
        """\
        BASE = 1
        NAMES = globals()
        class Context:
            def __init__(self, names, base): self.names, self.base = names, base
        BY_CALL = [Context][0](globals(), BASE)
        BY_NAME = [Context][0](NAMES, BASE)
        """
    )
    names = vars(program.module)
    report = program.sub(("BASE = 1", "BASE = 2"))
    for name in ("BY_CALL", "BY_NAME"):
        context = getattr(program.module, name)
        assert context.names is names and context.base == 1
        assert "keeps hold of the names of its module" in said(report, name)


def test_file_that_is_read_where_the_program_changed_the_value(load: Load, tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text("a\nb")
    program = load(
        f"""\
        import importlib.resources
        import pathlib
        PATH = pathlib.Path({str(table)!r})
        WORDS = PATH.read_text().splitlines()
        KEPT = PATH.read_text().splitlines()
        def f(): return 1
        """
    )
    program.module.KEPT.append("mine")
    table.write_text("a\nb\nc")
    report = program.sub(("return 1", "return 2"))
    # Its own module was edited: an unchanged statement of it reads the file again.
    assert program.module.WORDS == ["a", "b", "c"]
    assert program.module.KEPT == ["a", "b", "mine"]
    assert "the file that it reads changed; the program changed its value since" in said(report, "KEPT")


def test_import_inside_a_function_is_not_followed(load: Load, tmp_path: Path) -> None:
    other = load("LIMIT = 1\n")
    program = load(f"def f():\n    from {other.name} import LIMIT\n    return LIMIT\nV = f()\n")
    other.sub(("LIMIT = 1", "LIMIT = 2"))
    assert program.module.V == 1 and program.module.f() == 2


def test_signature_that_a_decorator_read(load: Load) -> None:
    program = load(
        """\
        import inspect
        TABLE = {}
        def reads(function):
            TABLE[function.__name__] = str(inspect.signature(function))
            return function
        @reads
        def f(a): return a
        """
    )
    program.sub(("def f(a)", "def f(a, b=1)"))
    assert program.module.TABLE == {"f": "(a)"}
    assert program.module.f(5) == 5


def test_statement_that_only_changes_objects_is_not_done_again(load: Load) -> None:
    program = load(
        """\
        TABLE = {}
        SIZE = 1
        def fill(): TABLE["size"] = SIZE
        fill()
        """
    )
    program.module.TABLE["live"] = 1
    program.sub(("SIZE = 1", "SIZE = 2"))
    assert program.module.TABLE == {"size": 1, "live": 1}


# More on classes


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with 3.12")
def test_class_with_type_parameters_is_made_anew(load: Load) -> None:
    program = load("class Box[T]:\n    def get(self) -> T: return self.value\nbox = Box()\n")
    report = program.sub(("    def get", "    size = 1\n    def get"))
    assert program.module.box.size == 1
    assert "re-ran" in said(report, "Box")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the attribute came with 3.13")
def test_static_attributes_that_the_program_set_stay(load: Load) -> None:
    program = load(
        """\
        class A:
            def f(self): self.a = 1
            class In:
                def f(self): self.b = 2
        class B:
            def f(self): self.c = 3
        """
    )
    program.module.B.__static_attributes__ = ("mine",)
    program.sub(("self.a = 1", "self.x = 1"), ("self.b = 2", "self.y = 2"), ("self.c = 3", "self.z = 3"))
    assert program.module.A.__static_attributes__ == ("x",)
    assert program.module.A.In.__static_attributes__ == ("y",)
    assert program.module.B.__static_attributes__ == ("mine",)


def test_class_that_a_local_variable_holds(load: Load) -> None:
    program = load(
        """\
        class Point:
            __slots__ = ("x",)
        def holder():
            kind = Point
            yield kind
            yield kind
        """
    )
    old = program.module.Point
    running = program.module.holder()
    next(running)
    report = program.sub(('("x",)', '("x", "y")'))
    assert next(running) is old
    # Until 3.10 a generator has a frame of its own all the time.
    holder = "generator" if sys.version_info >= (3, 11) else "frame"
    assert f"1 reference(s) to the old object stay: a local variable of a {holder}" in said(report, "Point")


def test_class_that_is_made_anew_registers_again_where_its_metaclass_does(load: Load) -> None:
    program = load(
        """\
        SEEN = []
        class Meta(type):
            def __init__(cls, name, bases, namespace):
                super().__init__(name, bases, namespace)
                SEEN.append(name)
        class A(metaclass=Meta):
            __slots__ = ("x",)
        """
    )
    program.sub(('("x",)', '("x", "y")'))
    assert program.module.SEEN == ["A", "A"]


def test_new_module_that_reads_an_edited_one_in_a_way_that_does_not_show(load: Load, tmp_path: Path) -> None:
    other = load("VALUE = 1\n")
    program = load("A = 1\n")
    (tmp_path / "fresh_module.py").write_text(
        f"import {other.name} as other\nSEEN = getattr(other, 'VALUE')\n"
    )
    other.file.write_text("VALUE = 2\n")
    program.file.write_text("A = 1\nimport fresh_module\n")
    report = hotswap.sync()
    assert report.status == "applied"
    assert sys.modules["fresh_module"].SEEN == 1


def test_statement_that_augments_what_others_hold_acts_while_it_is_prepared(load: Load) -> None:
    program = load("X = [1]\nfor i in (): X.append(i)\n")
    program.module.X.append("live")
    program.sub(("in ()", "in (2,)"))
    assert program.module.X == [1, "live", 2]


def test_file_that_changed_before_the_first_look(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "early.py"
    path.write_text("LIMIT = 1\ndef f(): return 1\nOTHER = [1].copy()\n")
    importlib.invalidate_caches()
    with hotswap.watch(tmp_path) as session:
        session.pause()
        module = importlib.import_module("early")
        path.write_text("LIMIT = 2\ndef f(): return 2\nOTHER = [2].copy()\n")
        os.utime(path, (2e9, 2e9))
        report = hotswap.sync()
    assert (module.f(), module.LIMIT, module.OTHER) == (2, 2, [1])
    assert any(
        note.endswith("its functions and plain values were compared with the running ones")
        for note in report.notes
    )


# Signals and log handlers


def test_signal_that_only_the_main_thread_can_take_away(load: Load) -> None:
    import signal
    import threading

    program = load(
        """\
        import signal
        A = 1
        def handler(number, frame): pass
        signal.signal(signal.SIGUSR1, handler)
        """
    )
    held = program.module.handler
    reports: list[hotswap.Report] = []
    try:
        program.text = program.text.replace("signal.signal(signal.SIGUSR1, handler)\n", "")
        program.file.write_text(program.text)
        thread = threading.Thread(target=lambda: reports.append(hotswap.sync()))
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGUSR1) is held
        assert "signal: SIGUSR1 keeps handler: only the main thread can take it away" in reports[0].notes
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def test_log_handler_under_a_changed_name_is_not_exchanged(load: Load) -> None:
    program = load(
        """\
        import logging
        log = logging.getLogger(__name__)
        h = logging.StreamHandler()
        log.addHandler(h)
        """
    )
    old = program.module.h
    program.sub(("StreamHandler()", "NullHandler()"))
    assert program.module.log.handlers == [old]


def test_call_that_enters_changed_code_while_new_statements_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.syspath_prepend(str(tmp_path))
    with hotswap.watch(tmp_path, consistency="quiescent", quiescence_timeout=0.2) as session:
        session.pause()
        program = Program(
            tmp_path,
            """\
            import threading
            begin, entered, leave = threading.Event(), threading.Event(), threading.Event()
            RAN = []
            def busy():
                entered.set()
                leave.wait(10)
                return 1
            """,
        )
        module = program.module
        thread = threading.Thread(target=lambda: module.begin.wait(10) and module.busy())
        thread.start()
        program.text = program.text.replace("return 1", "return 2")
        program.text += "RAN.append(begin.set())\nentered.wait(10)\n"
        program.file.write_text(program.text)
        report = hotswap.sync()
        try:
            assert report.status == "held", report
            assert [pending.qualname for pending in report.pending] == ["busy"]
            assert any("`RAN.append(begin.set())` had run" in note for note in report.notes), report.notes
        finally:
            module.leave.set()
            thread.join()
        assert hotswap.sync().status == "applied" and module.busy() == 2
    del sys.modules[program.name]


def test_member_read_above_and_below_its_definition_in_one_save(load: Load) -> None:
    program = load(
        """
        import string

        class Words:
            digits = string.digits
            def string(self):
                return "s"
            other = 1
        """
    )
    report = program.sub(
        ("digits = string.digits", "digits = string.hexdigits"),
        ("other = 1", "other = string"),
        status="rejected",
    )
    assert report.error is not None
    assert "has no attribute 'hexdigits'" in report.error.message
    assert program.module.Words.digits == "0123456789"
    program.sub(("other = string", "other = 2"))
    assert program.module.Words.digits == "0123456789abcdefABCDEF"


@pytest.mark.parametrize(
    "collected",
    [
        "inspect.getmembers(sys.modules[__name__], inspect.isclass)",
        "globals().items()",
        "vars(sys.modules[__name__]).items()",
    ],
)
def test_table_of_what_a_module_defines(load: Load, collected: str) -> None:
    text = f"""\
        import inspect, sys

        def all_kinds():
            return {{name: kind for name, kind in list({collected}) if name.startswith("Kind")}}

        class KindA: pass

        KINDS = all_kinds()
        OTHER = len("other")
        """
    program = load(text)
    assert list(program.module.KINDS) == ["KindA"]
    report = program.sub(("class KindA: pass", "class KindA: pass\nclass KindB: pass"))
    (stale,) = [change for change in report.changes if change.action == "stale"]
    assert stale.qualname == "KINDS"
    assert (
        stale.reason == "depends on the names of its module; it may have seen other names than there are now"
    )
    assert list(program.module.KINDS) == ["KindA"]
    program.sub(("KINDS = all_kinds()", "KINDS = all_kinds()  # hotswap: rerun"), status="unchanged")
    report = program.sub(("class KindB: pass", "class KindC: pass\nclass KindD: pass"))
    assert not [change for change in report.changes if change.action == "stale"]
    assert set(program.module.KINDS) == {"KindA", "KindC", "KindD"}
