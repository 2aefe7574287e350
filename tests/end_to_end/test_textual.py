"""A textual application with an open screen, in a pseudo-terminal, edited while it draws."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from live import SECONDS, edit, until
from program import search_path

pytest.importorskip("textual")
pyte = pytest.importorskip("pyte")
pty = pytest.importorskip("pty")

APP = """\
import os
from textual.app import App
from textual.widgets import Static
from words import label

class Clock(App):
    ticks = 0

    def compose(self):
        yield Static("starting", id="clock")

    def on_mount(self):
        self.set_interval(0.05, self.tick)

    def tick(self):
        self.ticks += 1
        self.query_one("#clock").update(self.text())

    def text(self):
        return f"{label()} {self.ticks} in {os.getpid()}"

if __name__ == "__main__":
    Clock().run()
"""


class Terminal:
    """What a person in front of the program would see."""

    def __init__(self, folder: Path, command: list[str], environment: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.screen = pyte.Screen(80, 24)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        stream = pyte.ByteStream(self.screen)
        while True:
            try:
                read = os.read(self.master, 65536)
            except OSError:
                return
            # Private modes that the emulator does not know would print as text.
            stream.feed(re.sub(rb"\x1b\[[<>=?][0-9;]*\$?[pqu]", b"", read))

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display if line.strip())

    def ticks(self) -> int:
        found = re.search(r"(\d+) in", self.text())
        return int(found[1]) if found else -1


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "words.py").write_text("def label():\n    return 'ticks'\n")
    spec = importlib.util.find_spec("textual")
    assert spec is not None and spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, tmp_path / "lib" / "textual")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HOTSWAP")}
    environment.update(
        PYTHONPATH=search_path(tmp_path / "lib"), TERM="xterm-256color", COLUMNS="80", LINES="24"
    )
    words = ["--watch", "lib/textual/widgets", "--log", "hotswap.log", "app.py"]
    terminal = Terminal(tmp_path, [sys.executable, "-m", "hotswap", "run", *words], environment)
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.process.wait()
    os.close(terminal.master)


def test_edits_reach_an_open_screen(tmp_path: Path, terminal: Terminal) -> None:
    def log() -> str:
        path = tmp_path / "hotswap.log"
        return path.read_text("utf-8") if path.exists() else ""

    pid = str(terminal.process.pid)
    until(terminal.text, lambda text: "ticks" in text and f"in {pid}" in text)

    edit(tmp_path / "words.py", "'ticks'", "'beats'")
    until(terminal.text, lambda text: "beats" in text)
    edit(tmp_path / "app.py", "} in {", "} counted in {")
    until(terminal.text, lambda text: "counted in" in text)
    counted = int(re.findall(r"beats (\d+)", terminal.text())[0])

    # A module inside the installed library.
    signature = 'def update(self, content: VisualType = "", *, layout: bool = True) -> None:\n'
    static = tmp_path / "lib" / "textual" / "widgets" / "_static.py"
    edit(static, signature, f"{signature}        content = f'{{content}}, drawn anew'\n")
    until(terminal.text, lambda text: "drawn anew" in text)

    edit(tmp_path / "words.py", "'beats'", "('beats'")
    until(log, lambda text: "rejected" in text and "SyntaxError" in text)
    at = re.findall(r"beats (\d+)", terminal.text())
    until(terminal.text, lambda text: re.findall(r"beats (\d+)", text) not in (at, []))
    edit(tmp_path / "words.py", "('beats'", "'strokes'")
    until(terminal.text, lambda text: "strokes" in text)

    assert int(re.findall(r"strokes (\d+)", terminal.text())[0]) > counted
    assert f"in {pid}" in terminal.text()
    assert terminal.process.poll() is None
    os.write(terminal.master, b"\x11")  # Ctrl-Q
    assert terminal.process.wait(SECONDS) == 0
