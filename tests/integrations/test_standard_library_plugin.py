from __future__ import annotations

import atexit
import logging
import signal

import pytest


@pytest.fixture
def exit_calls(monkeypatch):
    """The order in which functions would be called at exit, without calling those of others."""
    entries = []
    monkeypatch.setattr(atexit, "register", lambda f, *a, **k: entries.append((f, a)) or f)
    monkeypatch.setattr(
        atexit,
        "unregister",
        lambda f: entries.__setitem__(slice(None), [e for e in entries if e[0] is not f]),
    )
    return entries


EXIT = "import atexit\ndef one(): pass\ndef two(x): pass\natexit.register(one)\natexit.register(two, 5)\n"


def test_exit_function_goes_with_its_statement(project, exit_calls):
    mod = project.load(EXIT)
    project.apply(("atexit.register(one)\n", ""))
    assert exit_calls == [(mod.two, (5,))]


def test_exit_function_has_its_new_argument_only(project, exit_calls):
    mod = project.load(EXIT)
    project.apply(("two, 5", "two, 6"))
    assert exit_calls == [(mod.one, ()), (mod.two, (6,))]


def test_decorated_exit_function_loses_its_decorator(project, exit_calls):
    project.load("import atexit\n@atexit.register\ndef one(): pass\n")
    project.apply(("@atexit.register\n", ""))
    assert exit_calls == []


def test_exit_function_that_cannot_be_told_is_in_the_report(project, exit_calls):
    project.load("import atexit\natexit.register(lambda v=7: v)\n")
    report = project.apply(("v=7", "v=8"))
    assert any("cannot be told, and will be called" in note for note in report.notes)


SIGNALS = "import signal\ndef h(s, f): pass\ndef g(s, f): pass\nsignal.signal(signal.SIGUSR1, h)\n"


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="a signal of POSIX")
def test_signal_goes_with_its_statement(project):
    mod = project.load(SIGNALS)
    try:
        project.apply(("SIGUSR1, h", "SIGUSR2, h"))
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGUSR2) is mod.h
        project.apply(("signal.signal(signal.SIGUSR2, h)\n", ""))
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)


LOGGING = (
    "import logging\nlog = logging.getLogger(__name__)\nlog.addHandler(logging.StreamHandler())\n# end\n"
)


def kinds(mod):
    return [type(handler).__name__ for handler in mod.log.handlers]


def test_log_handler_is_replaced(project):
    mod = project.load(LOGGING)
    project.apply(("StreamHandler", "NullHandler"))
    assert kinds(mod) == ["NullHandler"]


def test_log_handler_goes_with_its_statement(project):
    mod = project.load(LOGGING)
    theirs = logging.NullHandler()
    mod.log.addHandler(theirs)
    project.apply(("log.addHandler(logging.StreamHandler())\n", ""))
    assert mod.log.handlers == [theirs]


def test_log_handler_of_a_failed_update_is_taken_back(project):
    mod = project.load(LOGGING)
    project.refuse(("# end", "log.addHandler(logging.NullHandler())\n1 / 0"))
    assert kinds(mod) == ["StreamHandler"]


def test_handler_that_cannot_be_told_is_in_the_report(project):
    mod = project.load(LOGGING)
    mod.log.addHandler(logging.StreamHandler())
    report = project.apply(("log.addHandler(logging.StreamHandler())\n", ""))
    assert len(mod.log.handlers) == 2
    assert any("cannot be told and stays" in note for note in report.notes)
