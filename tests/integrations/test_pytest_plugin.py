"""A pytest session of its own, in a process of its own, whose files are edited between two tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """\
import json, os, sys
import hotswap, pytest
root, edits = sys.argv[1], json.loads(sys.argv[2])
session = hotswap.watch(root)
session.pause()
results, notes = {}, []
class Edits:
    def pytest_collection_finish(self):
        hotswap.sync()
    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            results[report.nodeid.rpartition("::")[2]] = report.outcome
    def pytest_runtest_logfinish(self, nodeid):
        todo = edits.pop(nodeid.rpartition("::")[2], None)
        if not todo:
            return
        for file, old, new in todo:
            path = os.path.join(root, file)
            text = open(path).read()
            assert text.count(old) == 1, (old, text)
            open(path, "w").write(text.replace(old, new))
            os.utime(path, (2e9, 2e9 + len(edits)))
        report = hotswap.sync()
        assert report.status == "applied", report
        notes.extend(report.notes)
code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--rootdir", root, root], plugins=[Edits()])
print()
print("RESULT " + json.dumps([results, notes]))
"""


@pytest.fixture
def run(tmp_path: Path):
    def run_session(files: dict[str, str], **edits: list[tuple[str, str, str]]):
        driver = tmp_path / "driver.py"
        driver.write_text(DRIVER)
        root = tmp_path / "project"
        root.mkdir()
        for name, text in files.items():
            (root / name).write_text(text)
        done = subprocess.run(
            [sys.executable, "-B", str(driver), str(root), json.dumps(edits)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
        assert last.startswith("RESULT "), done.stdout + done.stderr
        results, notes = json.loads(last[len("RESULT ") :])
        return results, notes, done.stdout

    return run_session


BASE = """\
import pytest
log = []
@pytest.fixture(scope="module")
def base():
    log.append("up")
    yield 1
    log.append("down")
def test_one(base):
    assert base == 1
def test_two(base):
    assert base == 1
"""


def test_value_of_an_edited_fixture_is_set_up_anew(run):
    results, notes, out = run(
        {"test_it.py": BASE},
        test_one=[
            ("test_it.py", "yield 1", "yield 2"),
            (
                "test_it.py",
                "def test_two(base):\n    assert base == 1",
                "def test_two(base):\n    assert base == 2 and log == ['up', 'down', 'up']",
            ),
        ],
    )
    assert results == {"test_one": "passed", "test_two": "passed"}, out
    assert notes == ["pytest: the fixture base is set up anew at its next use"]


def test_value_of_a_fixture_that_did_not_change_stays(run):
    results, notes, out = run(
        {"test_it.py": BASE},
        test_one=[
            (
                "test_it.py",
                "def test_two(base):\n    assert base == 1",
                "def test_two(base):\n    assert base == 1 and log == ['up']",
            ),
        ],
    )
    assert results == {"test_one": "passed", "test_two": "passed"}, out
    assert notes == []


def test_fixture_of_a_conftest_gains_an_argument(run):
    results, _, out = run(
        {
            "conftest.py": "import pytest\n@pytest.fixture\ndef low(): return 1\n@pytest.fixture\ndef high(): return 10\n",
            "test_it.py": "def test_one(high): assert high == 10\ndef test_two(high): assert high == 11\n",
        },
        test_one=[("conftest.py", "def high(): return 10", "def high(low): return 10 + low")],
    )
    assert results == {"test_one": "passed", "test_two": "passed"}, out


def test_new_fixture_and_a_test_that_asks_for_it(run):
    results, notes, out = run(
        {
            "conftest.py": "import pytest\n@pytest.fixture\ndef low(): return 1\n",
            "test_it.py": "import pytest\ndef test_one(low): pass\ndef test_two(): assert False\n",
        },
        test_one=[
            (
                "conftest.py",
                "@pytest.fixture\n",
                "@pytest.fixture\ndef fresh(low): return low + 4\n@pytest.fixture\n",
            ),
            (
                "test_it.py",
                "def test_two(): assert False",
                "@pytest.fixture\ndef own(fresh): return fresh * 2\ndef test_two(own): assert own == 10",
            ),
        ],
    )
    assert results == {"test_one": "passed", "test_two": "passed"}, out
    assert sorted(notes) == ["pytest: the fixture fresh is there", "pytest: the fixture own is there"]


def test_removed_fixture_is_not_found(run):
    results, notes, out = run(
        {
            "conftest.py": "import pytest\n@pytest.fixture\ndef low(): return 1\n",
            "test_it.py": "import pytest\ndef test_one(low): pass\ndef test_two(request):\n    with pytest.raises(pytest.FixtureLookupError): request.getfixturevalue('low')\n",
        },
        test_one=[("conftest.py", "@pytest.fixture\ndef low(): return 1\n", "")],
    )
    assert results == {"test_one": "passed", "test_two": "passed"}, out
    assert notes == ["pytest: the fixture low was withdrawn"]


def test_scope_name_and_autouse_of_a_fixture_change(run):
    text = """\
import pytest
calls = []
@pytest.fixture(name="step")
def make_step():
    calls.append(1)
    return len(calls)
@pytest.fixture
def quiet(): calls.append("quiet")
def test_one(step): assert step == 1
def test_two(step): assert step == 2
def test_three(step): assert step == 3
"""
    results, _, out = run(
        {"test_it.py": text},
        test_one=[
            ("test_it.py", 'name="step"', 'name="step", scope="module"'),
            ("test_it.py", "assert step == 3", "assert step == 2 and calls == [1, 1]"),
        ],
        test_two=[
            ("test_it.py", "@pytest.fixture\ndef quiet", "@pytest.fixture(autouse=True)\ndef quiet"),
            ("test_it.py", "calls == [1, 1]", "calls == [1, 1, 'quiet']"),
        ],
    )
    assert results == dict.fromkeys(["test_one", "test_two", "test_three"], "passed"), out


def test_fixtures_of_test_classes(run):
    text = """\
import pytest
class TestIt:
    @pytest.fixture
    def own(self): return 1
    def test_one(self, own): assert own == 1
    def test_two(self, own): assert own == 1
"""
    results, _, out = run(
        {"test_it.py": text},
        test_one=[
            (
                "test_it.py",
                "    @pytest.fixture\n    def own(self): return 1",
                "    @pytest.fixture\n    def more(self): return 5\n    @pytest.fixture\n    def own(self, more): return 1 + more",
            ),
            (
                "test_it.py",
                "test_two(self, own): assert own == 1",
                "test_two(self, own, more): assert own == 6 and more == 5",
            ),
        ],
    )
    assert results == {"test_one": "passed", "test_two": "passed"}, out


def test_marks_of_a_test_that_is_to_come(run):
    results, _, out = run(
        {
            "test_it.py": "import pytest\ndef test_one(): pass\ndef test_two(): assert False\ndef test_three(): pass\n"
        },
        test_one=[("test_it.py", "def test_two", "@pytest.mark.skip(reason='later')\ndef test_two")],
    )
    assert results == {"test_one": "passed", "test_two": "skipped", "test_three": "passed"}, out


def test_parametrized_tests_keep_their_values(run):
    text = """\
import pytest
@pytest.fixture(params=[1, 2])
def number(request): return request.param
@pytest.mark.parametrize("letter", ["a", "b"])
def test_pair(letter, number): assert letter in "ab" and number in (1, 2)
def test_last(): pass
"""
    results, notes, out = run(
        {"test_it.py": text},
        **{
            "test_pair[1-a]": [
                (
                    "test_it.py",
                    "@pytest.fixture(params=[1, 2])",
                    "@pytest.fixture\ndef ten(): return 10\n@pytest.fixture(params=[1, 2, 3])",
                ),
                (
                    "test_it.py",
                    "def number(request): return request.param",
                    "def number(request, ten): return request.param * ten",
                ),
                ("test_it.py", "number in (1, 2)", "number in (10, 20)"),
            ]
        },
    )
    assert set(results.values()) == {"passed"} and len(results) == 5, (results, out)
    assert any("the parameters of the fixture number differ" in note for note in notes)


def test_second_session_in_the_process_sees_everything(run, tmp_path):
    root = tmp_path / "twice"
    root.mkdir()
    (root / "test_it.py").write_text(BASE)
    program = (
        "import os, sys, hotswap, pytest\n"
        "root = sys.argv[1]\n"
        "session = hotswap.watch(root); session.pause()\n"
        "first = pytest.main(['-q', '-p', 'no:cacheprovider', root])\n"
        "hotswap.sync()\n"
        "path = os.path.join(root, 'test_it.py')\n"
        "text = open(path).read()\n"
        "text = text.replace('yield 1', 'yield 2').replace('assert base == 1', 'assert base == 2')\n"
        "text += '@pytest.fixture\\ndef other(base): return base + 1\\ndef test_three(other): assert other == 3\\n'\n"
        "open(path, 'w').write(text); os.utime(path, (2e9, 2e9))\n"
        "report = hotswap.sync()\n"
        "assert report.status == 'applied', report\n"
        "second = pytest.main(['-q', '-p', 'no:cacheprovider', root])\n"
        "print(int(first), int(second))\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(root)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip().endswith("0 0"), done.stdout + done.stderr
    assert "3 passed" in done.stdout
