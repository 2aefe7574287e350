"""A textual application with a screen of its own on top: its state and keys survive, and nothing is drawn over it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from live import SECONDS, edit, until
from program import search_path

pytest.importorskip("textual")
pytest.importorskip("pyte")
pytest.importorskip("pty")

from test_textual import Terminal

APP = """\
import os
from textual.app import App
from textual.screen import Screen
from textual.widgets import Footer, Static

TITLE = "first"

class Counting(Screen):
    BINDINGS = [("plus", "count", "Count")]

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
        self.query_one("#text").update(self.line())

    def line(self):
        return f"{TITLE} count={self.count} ticks={self.ticks} in {os.getpid()}"

    def action_count(self):
        self.count += 1

class Counter(App):
    def on_mount(self):
        self.push_screen(Counting())

if __name__ == "__main__":
    Counter().run()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []
    (tmp_path / "app.py").write_text(APP)

    def start(*words: str) -> Terminal:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
        environment.update(
            PYTHONPATH=search_path(tmp_path / "lib"),
            TERM="xterm-256color",
            COLUMNS="80",
            LINES="24",
            NO_COLOR="1",
        )
        terminals.append(
            Terminal(tmp_path, [sys.executable, "-m", "hotswap", "run", *words, "app.py"], environment)
        )
        return terminals[-1]

    yield start
    for terminal in terminals:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()
        os.close(terminal.master)


def shows(terminal: Terminal, pattern: str) -> re.Match[str]:
    until(terminal.text, lambda text: re.search(pattern, text))
    found = re.search(pattern, terminal.text())
    assert found, terminal.text()
    return found


def press(terminal: Terminal, keys: str) -> None:
    os.write(terminal.master, keys.encode())


def test_state_of_an_open_screen_survives_edits_of_it_and_of_the_library(
    tmp_path: Path, start: Callable[..., Terminal]
) -> None:
    spec = importlib.util.find_spec("textual")
    assert spec is not None and spec.origin is not None
    library = tmp_path / "lib" / "textual"
    shutil.copytree(Path(spec.origin).parent, library)
    log = tmp_path / "hotswap.log"
    log.touch()
    terminal = start("--watch", "lib/textual/widgets", "--log", "hotswap.log")
    pid = terminal.process.pid
    app, static = tmp_path / "app.py", library / "widgets" / "_static.py"

    shows(terminal, rf"first count=0 .*in {pid}")
    press(terminal, "+++")
    shows(terminal, "count=3")
    edit(app, 'TITLE = "first"', 'TITLE = "second"')
    shows(terminal, rf"second count=3 .*in {pid}")
    edit(app, "count={self.count}", "counted={self.count}")
    shows(terminal, rf"second counted=3 .*in {pid}")
    edit(app, "self.count += 1", "self.count += 10")
    until(log.read_text, lambda text: "action_count" in text)
    press(terminal, "+")
    shows(terminal, "counted=13")

    # A method of the library, with mangled names.
    signature = 'def update(self, content: VisualType = "", *, layout: bool = True) -> None:\n'
    edit(static, signature, f"{signature}        content = f'one: {{content}}'\n")
    ticks = int(shows(terminal, rf"one: second counted=13 ticks=(\d+) in {pid}")[1])

    # Mistakes in both are refused, the screen goes on, and the fixes are taken.
    edit(app, 'TITLE = "second"', 'TITLE = ("second"')
    until(log.read_text, lambda text: text.count("SyntaxError") == 1)
    edit(static, "f'one: {content}'", "f'one: {content}")
    until(log.read_text, lambda text: text.count("SyntaxError") > 1)
    until(terminal.ticks, lambda now: now > ticks + 5)
    shows(terminal, rf"one: second counted=13 .*in {pid}")
    edit(app, 'TITLE = ("second"', 'TITLE = "third"')
    shows(terminal, rf"one: third counted=13 .*in {pid}")
    edit(static, "f'one: {content}", "f'two: {content}'")
    shows(terminal, rf"two: third counted=13 .*in {pid}")
    press(terminal, "+")
    shows(terminal, "counted=23")

    press(terminal, "\x11")  # Ctrl-Q
    assert terminal.process.wait(SECONDS) == 0


def test_lines_of_updates_wait_until_the_screen_is_left(
    tmp_path: Path, start: Callable[..., Terminal]
) -> None:
    terminal = start()
    app = tmp_path / "app.py"
    shows(terminal, "first count=0")
    edit(app, 'TITLE = "first"', 'TITLE = "second"')
    shows(terminal, "second count=0")
    edit(app, 'TITLE = "second"', 'TITLE = ("second"')
    ticks = terminal.ticks()
    until(terminal.ticks, lambda now: now > ticks + 10)
    # What is drawn in one place only would still be there.
    assert "hotswap" not in terminal.text()
    press(terminal, "\x11")
    until(terminal.text, lambda text: "hotswap #1" in text and "hotswap rejected" in text)
    assert terminal.process.wait(SECONDS) == 0
