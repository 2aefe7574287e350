"""Runs `counter/` under hotswap, edits a copy of it while it runs, and checks that it took every edit.

    python examples/demo.py

Exits with 0 only if all of it worked. It needs hotswap installed and nothing else.
"""

import http.client
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SECONDS = 20


class Failed(Exception):
    """An expectation of the demonstration did not hold."""


class Server:
    """The example in its own process, one visitor, and one listener whose connection stays open."""

    def __init__(self, folder):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
        environment.pop("HOTSWAP", None)
        self.log = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hotswap", "run", "server.py", "0"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._read_log, daemon=True).start()
        address = self.process.stdout.readline().strip()
        if not address.startswith("http://"):
            self.process.wait(SECONDS)
            raise Failed("the server did not start:\n" + "\n".join(self.log.queue))
        self.port = int(address.rstrip("/").rpartition(":")[2])
        self.listener = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        self.listener.request("GET", "/stream")
        self.stream = self.listener.getresponse()
        self.last_tick = 0

    def _read_log(self):
        for line in self.process.stderr:
            self.log.put(line.rstrip("\n"))

    def get(self, path="/"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode().strip()
        finally:
            connection.close()

    def tick(self):
        """The next line of the open connection; its count must go on without a gap."""
        line = self.stream.readline().decode().strip()
        number = int(line.split(":")[0].split()[1])
        expect(number == self.last_tick + 1, f"the open connection lost lines before {line!r}")
        self.last_tick = number
        return line

    def logged(self, word):
        """The next line of hotswap's that has this word; the others are printed too."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                line = self.log.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failed(f"hotswap did not say {word!r} within {SECONDS} seconds") from None
            print(f"    {line}")
            if word in line:
                return line

    def stop(self):
        self.process.terminate()
        self.process.wait(SECONDS)


def expect(condition, otherwise):
    if not condition:
        raise Failed(otherwise)


def until(ask, expected):
    """Ask until the answer has these words in it."""
    deadline = time.monotonic() + SECONDS
    while expected not in (answer := ask()):
        expect(
            time.monotonic() < deadline,
            f"waited {SECONDS} seconds for {expected!r}; the last answer was {answer!r}",
        )
    return answer


def edit(path, old, new, words=None):
    """Save this file with one place changed."""
    source = path.read_text(encoding="utf-8")
    expect(source.count(old) == 1, f"{path.name} is not as the demonstration expects")
    print(f"\n  edit {path.name}: {words or f'{old} becomes {new}'}")
    path.write_text(source.replace(old, new), encoding="utf-8")


def visits(answer):
    """The count in an answer such as `Hello, visitor 3!`."""
    return int("".join(letter for letter in answer.rpartition("visitor")[2] if letter.isdigit()))


def show(server, folder):
    """The three edits, the refused one, and that the state outlived them all."""
    pid = server.get("/visits").rpartition(" ")[2]
    answer = server.get()
    expect(answer == "Hello, visitor 1!", f"the first answer is {answer!r}")
    print(f"  process {pid} answers: {answer}")

    edit(folder / "pages.py", '!\\n"', '. Nice to see you.\\n"', "a friendlier page()")
    server.logged("pages.py")
    print(f"  it answers: {until(server.get, 'Nice to see you')}")

    edit(folder / "words.py", '"Hello"', '"Welcome back"', "GREETING, which pages.py imported by name")
    server.logged("words.py")
    answer = until(server.get, "Welcome back")
    print(f"  it answers: {answer}")
    total = visits(answer)

    edit(
        folder / "visits.py",
        'f"{self.total} visits"\n',
        'f"{self.total} visits, {self.missing()} to a hundred"\n\n'
        "    def missing(self):\n        return 100 - self.total\n",
        "a new method for the one living Visits object",
    )
    server.logged("visits.py")
    print(f"  the open connection says: {until(server.tick, 'to a hundred')}")

    edit(folder / "pages.py", "return f", "return (f", "a mistake")
    server.logged("rejected")
    answer = server.get()
    print(f"  it goes on answering: {answer}")
    expect("Welcome back" in answer and "Nice" in answer, "the refused edit changed the answer")

    source = (folder / "pages.py").read_text(encoding="utf-8")
    edit(
        folder / "pages.py", source, source.replace("(f", "f").replace("Nice to see you", "Mended"), "mended"
    )
    server.logged("pages.py")
    print(f"  it answers: {until(server.get, 'Mended.')}")

    expect(visits(server.get()) > total, "the count did not go on")
    expect(server.get("/visits").rpartition(" ")[2] == pid, "it is not the same process any more")
    server.tick()
    print(f"\nOne process ({pid}), {visits(server.get())} visits counted, one connection open all the time.")


def main():
    with tempfile.TemporaryDirectory(prefix="hotswap-demo-") as temporary:
        folder = Path(temporary).resolve() / "counter"
        shutil.copytree(
            Path(__file__).parent / "counter", folder, ignore=shutil.ignore_patterns("__pycache__")
        )
        print("hotswap run server.py")
        server = Server(folder)
        try:
            show(server, folder)
        except Failed as failure:
            print(f"\nFAILED: {failure}")
            while not server.log.empty():
                print(f"    {server.log.get()}")
            return 1
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
