"""Python processes that watch from their start: under `HOTSWAP=1`, or as workers below `hotswap run`.

hotswap's `.pth` imports this, and nothing where neither was asked for. Nothing here may print or fail: it is
not the program's doing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hotswap._config import CHILDREN, enabled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SERVANTS = ("from multiprocessing.resource_tracker ",)
"""What multiprocessing runs beside the program's own processes."""
_WORKERS = ("from multiprocessing.spawn ", "from multiprocessing.forkserver ")


def start() -> None:
    """Watch, if this process is one that was asked to."""
    if not enabled():
        return
    kind, value = program(command_line())
    if kind == "-c" and any(words in value for words in _SERVANTS):
        return
    if (kind, value) == ("-m", "hotswap") or os.path.basename(value) in ("hotswap", "hotswap.exe"):
        return  # which sees to it itself
    parent, _, told = os.environ.get(CHILDREN, "").partition(" ")
    if parent == str(os.getppid()) and kind == "-c" and any(words in value for words in _WORKERS):
        _watch_as_worker(told)
    elif os.environ.get("HOTSWAP", "").strip() == "1":
        from hotswap._session import watch

        watch()


def _watch_as_worker(told: str) -> None:
    """Watch what the program watches whose worker this is, and let its first process write the lines."""
    import json

    from hotswap import _loop
    from hotswap._config import Options
    from hotswap._session import open_session
    from hotswap._stream_log import StreamLog
    from hotswap._workers import WorkersLog

    words: dict[str, Any] = json.loads(told)
    os.environ[CHILDREN] = f"{os.getpid()} {told}"
    _loop.family = words["first"]
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in words["options"].items()
    }
    stream = open(words["log"], "a", encoding="utf-8") if words["log"] else None  # noqa: SIM115
    log = StreamLog(words["level"], words["json"], stream, words["first"])
    if not words["quiet"]:
        log.attach()
    workers = WorkersLog(log, words["first"])
    open_session(Options(**settings), None if words["quiet"] else workers.write_report)


def program(words: Sequence[str]) -> tuple[str, str]:
    """What an interpreter with this command line runs: `-c` or `-m` with its value, or "" with a file."""
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            return "", word
        if word.startswith("--"):
            if word == "--check-hash-based-pycs" and rest:
                rest.pop(0)
            continue
        for position, letter in enumerate(word[1:], 1):
            if letter in "cmWX":
                value = word[position + 1 :] or (rest.pop(0) if rest else "")
                if letter in "cm":
                    return f"-{letter}", value
                break
    return "", ""


def command_line() -> list[str]:
    """The words that this interpreter was started with."""
    words = getattr(sys, "orig_argv", None)  # from 3.10 on
    if words is not None:
        return list(words)
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


try:
    start()
except Exception:
    # Of a setting that is wrong, for example. `site` would print a traceback for each process that starts.
    from hotswap._logging import watch_logger

    watch_logger.exception("this process does not watch")
