"""Each way of saving in patterns.py gives exactly one update, or none where nothing changed.

The watcher runs as the example `print_events` of the crate hotswap-watch; HOTSWAP_PRINT_EVENTS
names a built one, else cargo builds it.
"""
import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
import time
from pathlib import Path

import patterns
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE = 15.0
# Two valid versions 50 ms apart: waiting for the second would cost every save 50 ms.
MOST_UPDATES = {"format_on_save": 2}
# Found by the safety sweep, which is told to run often here.
SWEPT = {"hard_link_write"}
# What is left to see after the last expected path: long enough for every wait of the watcher.
SILENCE = 0.3


@pytest.fixture(scope="session")
def print_events():
    built = os.environ.get("HOTSWAP_PRINT_EVENTS")
    if built:
        return built
    command = ["cargo", "build", "-q", "-p", "hotswap-watch", "--example", "print_events", "--message-format=json"]
    lines = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(m["executable"] for m in map(json.loads, lines) if m.get("executable"))


class Events:
    """The batches that the watcher prints."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self.next(DEADLINE)
        assert self.ready and self.ready.get("ready"), "the watcher did not start"

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def next(self, timeout):
        try:
            return self.lines.get(timeout=timeout)
        except queue.Empty:
            return None

    def until(self, paths):
        """Returns all batches up to the one that completes `paths`, and those that follow before silence."""
        batches, missing, deadline = [], set(paths), time.monotonic() + DEADLINE
        while True:
            batch = self.next(max(0.0, deadline - time.monotonic()) if missing else SILENCE)
            if batch is None:
                return batches
            batches.append(batch)
            missing -= {change["path"] for change in batch["changes"]}

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)


@pytest.fixture
def watch(print_events, tmp_path):
    running = []

    def start(root, *options):
        running.append(Events([print_events, str(root), *options]))
        return running[-1]

    yield start
    for events in running:
        events.close()


def tree(tmp_path, git=False):
    root = str(tmp_path / "root")
    os.makedirs(root)
    patterns.prep(root)
    if git:
        patterns.git_prep_g["g"] = patterns.git_prep(root)
    return root


def contents(paths):
    return {path: Path(path).read_bytes() if os.path.exists(path) else None for path in paths}


def check(events, pattern, root):
    must, may_not = pattern(root)
    batches = events.until(must)
    shown = json.dumps(batches, indent=1)[:4000]
    last = {change["path"]: change for batch in batches for change in batch["changes"]}
    assert set(must) <= set(last), f"not reported: {set(must) - set(last)}\n{shown}"
    assert not set(may_not) & set(last), f"noise: {shown}"
    for path, content in contents(last).items():
        assert last[path]["size"] == (None if content is None else len(content)), f"{path} is not whole: {shown}"
    for batch in batches:
        for change in batch["changes"]:
            assert change["error"] is None and not change["unsettled"], shown
    return batches, shown


NAMES = [pattern.__name__ for pattern in patterns.PATTERNS]


@pytest.mark.parametrize("name", NAMES)
def test_each_save_is_one_update(watch, tmp_path, name):
    if name == "rsync" and not shutil.which("rsync"):
        pytest.skip("rsync is not installed")
    root = tree(tmp_path, git=name.startswith("git_"))
    events = watch(root, *(["--sweep", "300"] if name in SWEPT else []))
    pattern = getattr(patterns, name)
    moved = []
    if name == "dir_rename_then_edit":
        # The rename is an update of its own, long before the edit.
        batches, shown = check(events, pattern, root)
        moved = [batch for batch in batches if root + "/pkg/a.py" in {c["path"] for c in batch["changes"]}]
        assert len(moved) == 1, shown
    else:
        batches, shown = check(events, pattern, root)
    expects = bool(batches) if name not in ("touch", "same_content", "editor_litter") else False
    updates = len(batches) - len(moved)
    if expects:
        assert 1 <= updates <= MOST_UPDATES.get(name, 1), shown
    else:
        assert updates == 0, shown


# The write through a hard link and the same-mtime edit are nothing special to polling; git's bursts are
# looked at as a whole because its lock holds them.
@pytest.mark.parametrize("name", NAMES)
def test_each_save_is_found_by_polling(watch, tmp_path, name):
    if name == "rsync" and not shutil.which("rsync"):
        pytest.skip("rsync is not installed")
    root = tree(tmp_path, git=name.startswith("git_"))
    events = watch(root, "--poll")
    assert events.ready["watched"] == 0
    pattern = getattr(patterns, name)
    batches, shown = check(events, pattern, root)
    most = {"format_on_save": 2, "dir_rename_then_edit": 2}.get(name, 1)
    assert len(batches) <= most, shown
