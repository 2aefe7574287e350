"""A process that starts the same program afresh on request and describes what it then holds."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))


class ColdStart:
    """The other process, seen from the test."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.abspath(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def describe(self, folder: str, modules: list[str], without: frozenset[str] = frozenset()) -> Any:
        """The description of the modules after a fresh start, or the error as a string."""
        assert self.process.stdin and self.process.stdout
        pickle.dump((folder, modules, without), self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def stop(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(10)
        if self.process.stdout:
            self.process.stdout.close()


def serve() -> None:
    sys.path.insert(0, HERE)
    import describe

    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    before = set(sys.modules)
    while True:
        try:
            folder, modules, without = pickle.load(requests)
        except EOFError:
            return
        for name in set(sys.modules) - before:
            if getattr(sys.modules[name], "__file__", None) and name.split(".")[0].startswith("prop"):
                del sys.modules[name]
        importlib.invalidate_caches()
        sys.path.insert(0, folder)
        try:
            for name in modules:
                importlib.import_module(name)
            answer: Any = describe.describe_modules(modules, without)
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        finally:
            sys.path.remove(folder)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
