"""A textual application with an open screen changes, and so does the textual below it, in a pseudo-terminal."""

from __future__ import annotations

import ast
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("textual")
pyte = pytest.importorskip("pyte")
sys.path.insert(0, str(Path(__file__).parent))

from conftest import copy_library, edit, environment, wait_for  # noqa: E402

COLUMNS, LINES = 100, 24
APP = """\
import os
from textual.app import App
from textual.screen import Screen
from textual.widgets import Footer, Static
from words import greeting

TITLE = "first"

class Counting(Screen):
    BINDINGS = [("plus", "count", "Count"), ("q", "app.quit", "Quit")]

    def __init__(self):
        super().__init__()
        self.count = 0
        self.ticks = 0

    def compose(self):
        yield Static(id="text")
        yield Footer()

    def on_mount(self):
        self.set_interval(0.05, self.tick)

    def tick(self):
        self.ticks += 1
        self.query_one("#text", Static).update(self.line())

    def line(self):
        return f"{greeting()} {TITLE} count={self.count} pid={os.getpid()} ticks={self.ticks}"

    def action_count(self):
        self.count += 1

class Counter(App):
    def on_mount(self):
        self.push_screen(Counting())

if __name__ == "__main__":
    Counter().run()
"""
WORDS = """\
def greeting():
    return "hello"
"""


class Terminal:
    """A program under `hotswap run` whose terminal is ours."""

    def __init__(self, words: list[str], folder: Path, env: dict[str, str]) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hotswap", "run", *words],
            cwd=folder,
            env={**env, "TERM": "xterm-256color", "TEXTUAL_DISABLE_KITTY_KEY": "1", "NO_COLOR": "1"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.raw = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)

    @property
    def text(self) -> str:
        with self._lock:
            return "\n".join(self.screen.display)

    def __str__(self) -> str:
        state = "running" if self.process.poll() is None else f"ended with {self.process.returncode}"
        lines = "\n".join(line.rstrip() for line in self.text.splitlines())
        return f"program {self.process.pid} {state}; its screen:\n{lines}\nlast bytes: {self.raw[-2000:]!r}"

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, pattern: str) -> re.Match[str]:
        return wait_for(lambda: re.search(pattern, self.text), lambda: f"looked for {pattern!r} in {self}")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Terminal, Path, Path, Path]]:
    library = copy_library("textual", tmp_path / "libraries")
    (tmp_path / "app").mkdir()
    app, words, log = tmp_path / "app" / "app.py", tmp_path / "app" / "words.py", tmp_path / "hotswap.log"
    app.write_text(APP)
    words.write_text(WORDS)
    terminal = Terminal(
        ["--watch", str(library), "--log", str(log), str(app)], tmp_path / "app", environment(library.parent)
    )
    yield terminal, app, library, log
    terminal.end()


def mark_updates_of_static(library: Path, before: str | None, mark: str) -> None:
    """Make `Static.update` of the library write `mark` in front of the text."""
    path = library / "widgets" / "_static.py"
    if before is not None:
        edit(path, (before, mark))
        return
    text = path.read_text()
    static = next(node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "Static")
    update = next(node for node in static.body if isinstance(node, ast.FunctionDef) and node.name == "update")
    content = update.args.args[1].arg
    lines = text.splitlines(keepends=True)
    first = update.body[1] if ast.get_docstring(update) else update.body[0]
    lines.insert(first.lineno - 1, f"        {content} = f'{mark}{{{content}}}'\n")
    path.write_text("".join(lines))


def test_textual_application_and_library_change_with_a_screen_open(project) -> None:
    terminal, app, library, log = project
    pid = terminal.process.pid
    terminal.wait_for(rf"hello first count=0 pid={pid} ticks=\d+")
    terminal.press("+++")
    terminal.wait_for(r"count=3")

    # The application: a method, a constant, a function in another module.
    edit(app, ('TITLE = "first"', 'TITLE = "second"'), ("count={self.count}", "counted={self.count}"))
    terminal.wait_for(rf"hello second counted=3 pid={pid}")
    edit(app.parent / "words.py", ('"hello"', '"good day"'))
    ticks = int(terminal.wait_for(rf"good day second counted=3 pid={pid} ticks=(\d+)")[1])
    terminal.press("+")
    terminal.wait_for(r"counted=4")

    # A module inside the library.
    mark_updates_of_static(library, None, "library: ")
    later = int(terminal.wait_for(rf"library: good day second counted=4 pid={pid} ticks=(\d+)")[1])
    assert later > ticks

    # A syntax error is refused, the screen goes on, and the fix is taken.
    edit(app, ('TITLE = "second"', 'TITLE = ("second"'))
    wait_for(lambda: "SyntaxError" in log.read_text(), lambda: f"{log.read_text()}\n{terminal}")
    still = int(terminal.wait_for(rf"library: good day second counted=4 pid={pid} ticks=(\d+)")[1])
    wait_for(
        lambda: int(terminal.wait_for(r"ticks=(\d+)")[1]) > still + 5, lambda: f"{log.read_text()}\n{terminal}"
    )
    edit(app, ('TITLE = ("second"', 'TITLE = "third"'))
    terminal.wait_for(rf"library: good day third counted=4 pid={pid}")
    edit(library / "widgets" / "_static.py", ("'library: ", "library: "))
    wait_for(lambda: log.read_text().count("SyntaxError") == 2, lambda: f"{log.read_text()}\n{terminal}")
    terminal.wait_for(rf"library: good day third counted=4 pid={pid}")
    edit(library / "widgets" / "_static.py", (" library: ", " 'textual: "))
    terminal.wait_for(rf"textual: good day third counted=4 pid={pid}")

    # Keys still reach the same screen.
    terminal.press("+")
    terminal.wait_for(r"counted=5")
    assert terminal.process.poll() is None
    assert "hotswap" not in terminal.text.replace(str(app.parent), ""), str(terminal)
