"""A statement that calls what changed in the same save sees it, while the rest of the program still sees the old."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import hotswap

PROBE = "import sys\nSEEN = []\nKEPT = []\n\n\ndef look():\n    SEEN.append(sys.modules['early'].value())\n    return SEEN[-1]\n\n\ndef keep(function):\n    KEPT.append(function)\n"
OLD = "from early_probe import look, keep\n\n\ndef value():\n    return 1\n\n\ndef both():\n    return None\n"
NEW = "from early_probe import look, keep\n\n\ndef value():\n    return 2\n\n\ndef both():\n    return value(), look()\n"


@pytest.fixture
def early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "early.py").write_text(OLD)
    (tmp_path / "early_probe.py").write_text(PROBE)
    session = hotswap.watch(tmp_path)
    session.pause()
    module = __import__("early")
    hotswap.sync()
    module.file = tmp_path / "early.py"
    yield module
    session.stop()
    for name in ("early", "early_probe"):
        sys.modules.pop(name, None)


def test_statement_with_effects_runs_before_the_commit(early: Any) -> None:
    early.file.write_text(NEW + "RESULT = both()\n")
    assert hotswap.sync().status == "applied"
    assert early.RESULT == (2, 1)
    assert early.both() == (2, 2)


def test_failure_of_such_a_statement_is_seen_by_nobody(early: Any) -> None:
    early.file.write_text(NEW + "RESULT = both()\n1 / 0\n")
    assert hotswap.sync().status == "rejected"
    assert early.value() == 1 and early.both() is None
    assert sys.modules["early_probe"].SEEN == [1]
    assert not hasattr(early, "RESULT")


def test_function_that_hands_itself_on_stays_what_it_is(early: Any) -> None:
    handing = NEW.replace("return value(), look()", "keep(lambda: value())\n    return value(), look()")
    early.file.write_text(handing + "RESULT = both()\n")
    assert hotswap.sync().status == "applied"
    (kept,) = sys.modules["early_probe"].KEPT
    assert early.RESULT == (2, 1) and kept() == 2
    assert kept.__globals__ is vars(early)
    early.file.write_text(handing.replace("return 2", "return 3") + "RESULT = both()\n")
    hotswap.sync()
    assert kept() == 3


def test_function_that_assigns_a_global_name_runs_after_the_commit(early: Any) -> None:
    counting = NEW.replace("def both():", "COUNT = 0\n\n\ndef both():\n    global COUNT\n    COUNT += 1")
    early.file.write_text(counting + "RESULT = both()\n")
    assert hotswap.sync().status == "applied"
    assert early.COUNT == 1 and early.RESULT[0] == 2
