"""`hotswap run` against `python`: the same program, side by side, must leave the same traces."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

REPORT = """\
import sys
names = ("__name__", "__file__", "__package__", "__doc__", "__cached__", "__annotations__")
print({name: globals().get(name, "missing") for name in names})
print(sorted(name for name in globals() if name != "names"))
print(type(__builtins__).__name__, __loader__.__class__.__name__, __spec__ and __spec__.name)
print(sys.argv, sys.path[0], sys.modules["__main__"].__dict__ is globals())
print(sys.flags.optimize, sys.warnoptions, sorted(sys._xoptions), sys.flags.isolated, sys.flags.no_site)
"""

SCRIPTS = {
    "report.py": REPORT,
    "pkg/__init__.py": "print('package imported', __name__)\n",
    "pkg/__main__.py": REPORT,
    "pkg/inner.py": REPORT,
    "app/__main__.py": REPORT,
    "raises.py": "def inner(n):\n    return 1 / n\n\n\ntry:\n    inner(0)\nexcept ZeroDivisionError as e:\n"
    "    raise ValueError('outer') from e\n",
    "deep.py": "import raises\n",
    "broken.py": "x = 1\ndef f(:\n    pass\n",
    "indent.py": "def f():\nreturn 1\n",
    "imports_broken.py": "import broken\n",
    "latin.py": "x = 1\ny = '\xe9'\n".encode("latin-1"),
    "latin_declared.py": "# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n".encode("latin-1"),
    "bom.py": "\ufeffprint('bom')\n".encode(),
    "cookie.py": "# coding: nonsense\nx = 1\n",
    "exits.py": "import sys\nsys.exit(int(sys.argv[1]))\n",
    "exits_text.py": "import sys\nsys.exit('going')\n",
    "exits_none.py": "raise SystemExit\n",
    "hard_exit.py": "import os\nos._exit(7)\n",
    "interrupted.py": "raise KeyboardInterrupt\n",
    "atexits.py": "import atexit\natexit.register(print, 'first registered')\n"
    "atexit.register(print, 'last registered')\nprint('body')\n",
    "threads.py": "import threading, time\ndef work():\n    time.sleep(0.2)\n    print('thread done')\n"
    "threading.Thread(target=work).start()\nprint('main done')\n",
    "hook.py": "import sys\ndef hook(kind, value, traceback):\n    print('hook', kind.__name__, value)\n"
    "    while traceback:\n        print(traceback.tb_frame.f_code.co_name)\n"
    "        traceback = traceback.tb_next\nsys.excepthook = hook\n1 / 0\n",
    "no_hook.py": "import sys\nprint(sys.excepthook is sys.__excepthook__)\n",
    "pickles.py": "import pickle\nclass Point:\n    x = 1\n"
    "print(pickle.loads(pickle.dumps(Point())).x, pickle.dumps(Point)[:30], Point.__module__)\n",
    "imports_main.py": "import __main__\nvalue = 3\nprint(__main__.value)\n",
    "reads_stdin.py": "import sys\nprint([line for line in sys.stdin])\n",
    "asks.py": "print(input('name? '))\n",
    "prints_unflushed.py": "import sys\nsys.stdout.write('no newline')\n",
    "unicode.py": "print('\u00e9\u4e2d')\n".encode(),
    "asserts.py": "assert False, 'seen'\nprint('not seen')\n",
    "warns.py": "import warnings\nwarnings.warn('careful', UserWarning)\n",
    "future.py": "from __future__ import annotations\ndef f(x: undefined): pass\nprint(f.__annotations__)\n",
    "no_future.py": "def f(x: int): pass\nprint(f.__annotations__)\n",
    "group.py": "import asyncio\nasync def go():\n    await asyncio.sleep(0)\n    raise LookupError('task')\n"
    "asyncio.run(go())\n",
    "recursion.py": "def f(n):\n    return f(n - 1) if n else 'bottom'\nprint(f(900))\n",
    "source.py": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))\n",
    "dies_at_exit.py": "import atexit\natexit.register(lambda: 1 / 0)\n",
    "thread_raises.py": "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='T')\nt.start()\nt.join()\n",
    "deletes.py": "class Noisy:\n    def __del__(self):\n        print('deleted')\nkept = Noisy()\nprint('end')\n",
    "forks.py": "import os\npid = os.fork()\nif pid:\n    print(os.waitpid(pid, 0)[1])\nelse:\n    os._exit(0)\n",
    "spawns.py": "import multiprocessing\ndef work(n):\n    return n + 1\nif __name__ == '__main__':\n"
    "    context = multiprocessing.get_context('spawn')\n    with context.Pool(1) as pool:\n"
    "        print(pool.map(work, [1, 2]))\n",
    "frozen_args.py": "import sys\nprint(sys.argv[1:])\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("programs")
    for name, content in SCRIPTS.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    (root / "link.py").symlink_to(root / "pkg" / "inner.py")
    return root


@pytest.fixture(params=["off", "on"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
    environment["NO_COLOR"] = "1"
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    if request.param == "off":
        environment["HOTSWAP"] = "0"
    return environment


def run(command: list[str], folder: Path, environment: dict[str, str], stdin: str) -> tuple[int, str, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        encoding="utf-8",
    )
    return done.returncode, *(re.sub(r"0x[0-9a-f]+", "0x", text) for text in (done.stdout, done.stderr))


def same(
    words: list[str], folder: Path, environment: dict[str, str], stdin: str = ""
) -> tuple[int, str, str]:
    """Run it both ways; returns what both did."""
    plain = run([sys.executable, *words], folder, environment, stdin)
    ours = run([sys.executable, "-m", "hotswap", "run", *words], folder, environment, stdin)
    assert ours == plain
    return plain


@pytest.mark.parametrize(
    "words",
    [
        "report.py", "report.py a -b --watch x", "./report.py", "pkg/../report.py", "link.py", "app", "app x",
        "-m pkg", "-m pkg.inner a --quiet", "-m report -O", "-m missing", "-m pkg.missing", "-m raises",
        "raises.py", "deep.py", "broken.py", "indent.py", "imports_broken.py", "latin.py", "latin_declared.py",
        "bom.py", "cookie.py", "missing.py", "missing/missing.py", "pkg/inner.py", "exits.py 3", "exits.py 0",
        "exits.py 256", "exits.py -1", "exits_text.py", "exits_none.py", "hard_exit.py", "atexits.py", "threads.py",
        "hook.py", "no_hook.py", "pickles.py", "imports_main.py", "prints_unflushed.py", "unicode.py", "asserts.py",
        "-O asserts.py", "-OO asserts.py", "-W error warns.py", "-Werror warns.py", "warns.py", "-X dev warns.py",
        "-I report.py", "-E report.py", "-s report.py", "-S report.py", "-b -B -u report.py", "-Xutf8 report.py",
        "-OWerror report.py", "future.py", "no_future.py", "group.py", "recursion.py", "source.py",
        "dies_at_exit.py", "thread_raises.py", "deletes.py", "spawns.py",
        "frozen_args.py -- -m -c --json", "frozen_args.py -O --help -V", "-- report.py",
    ],
)  # fmt: skip
def test_runs_like_python(words: str, folder: Path, environment: dict[str, str]) -> None:
    same(words.split(" "), folder, environment)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="-P is new in 3.11")
def test_safe_path(folder: Path, environment: dict[str, str]) -> None:
    # Its sys.path[0] is what PYTHONPATH says, if anything: only the program's own place must be missing.
    words = ["-P", "frozen_args.py"]
    same(words, folder, environment)


def test_arguments_pass_through_verbatim(folder: Path, environment: dict[str, str]) -> None:
    words = ["frozen_args.py", "", "a b", "--", "-", "*", "'", '"', "\\", "--watch=x", "-Wx", "\u00e9"]
    _, out, _ = same(words, folder, environment)
    assert "a b" in out


@pytest.mark.parametrize(
    "code",
    ["print(__name__, globals().keys())", "1/0", "def f(:", "import raises", "x = 1\nif x:\n  print(x)\n1/0"],
)
def test_code(code: str, folder: Path, environment: dict[str, str]) -> None:
    same(["-c", code, "a", "-m"], folder, environment)
    same([f"-c{code}"], folder, environment)


@pytest.mark.parametrize("words", [["-"], ["-", "a", "-b"], []])
@pytest.mark.parametrize("program", [REPORT, "1/0", "def f(:", "print(input())"])
def test_program_from_stdin(
    words: list[str], program: str, folder: Path, environment: dict[str, str]
) -> None:
    same(words, folder, environment, stdin=program)


@pytest.mark.parametrize("name", ["reads_stdin.py", "asks.py"])
def test_stdin_belongs_to_the_program(name: str, folder: Path, environment: dict[str, str]) -> None:
    same([name], folder, environment, stdin="one\ntwo\n")


@POSIX
def test_keyboard_interrupt_ends_by_the_signal(folder: Path, environment: dict[str, str]) -> None:
    code, _, err = same(["interrupted.py"], folder, environment)
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in err


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_from_outside(number: signal.Signals, tmp_path: Path, environment: dict[str, str]) -> None:
    # One long sleep is not cut short by a signal that comes just before it begins.
    (tmp_path / "waits.py").write_text(
        "import time\nprint('ready', flush=True)\nwhile True:\n    time.sleep(0.05)\n"
    )
    outcomes = []
    for start in ([], ["-m", "hotswap", "run"]):
        command = [sys.executable, *start, "waits.py"]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background job ignores SIGINT, and its children inherit that.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        # Which of its two lines the program was at is chance.
        outcomes.append((process.returncode, err.splitlines()[:1], err.splitlines()[-1:]))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == -number


@POSIX
def test_own_signal_handler(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "handles.py").write_text(
        "import os, signal\nprint(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('handled'))\nos.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert "handled" in same(["handles.py"], tmp_path, environment)[1]


@POSIX
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 warns of forking beside any thread")
def test_fork(folder: Path, environment: dict[str, str]) -> None:
    same(["forks.py"], folder, environment)


@POSIX
def test_interactive_afterwards(folder: Path, environment: dict[str, str]) -> None:
    same(["-i", "-q", "imports_main.py"], folder, environment, stdin="value + 1\n")


def test_script_without_read_permission(tmp_path: Path, environment: dict[str, str]) -> None:
    script = tmp_path / "secret.py"
    script.write_text("print(1)\n")
    script.chmod(0)
    same(["secret.py"], tmp_path, environment)


def test_bytecode_file(tmp_path: Path, environment: dict[str, str]) -> None:
    import py_compile

    source = tmp_path / "program.py"
    source.write_text("print(__name__, __loader__.__class__.__name__)\n")
    py_compile.compile(str(source), str(tmp_path / "program.pyc"))
    source.unlink()
    same(["program.pyc"], tmp_path, environment)


def test_zip_file(tmp_path: Path, environment: dict[str, str]) -> None:
    import zipapp

    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "__main__.py").write_text(REPORT)
    zipapp.create_archive(tmp_path / "source", tmp_path / "app.pyz")
    same(["app.pyz", "a"], tmp_path, environment)


@pytest.mark.parametrize("content", [b"x = 1\0\n", b"x = 1\nif x:\n  y\0 z\n"])
@pytest.mark.skipif(sys.version_info < (3, 11, 4), reason="older ones run what is left of the line")
def test_null_bytes(content: bytes, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "nul.py").write_bytes(content)
    same(["nul.py"], tmp_path, environment)


def test_empty_directory(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "empty").mkdir()
    same(["empty"], tmp_path, environment)
