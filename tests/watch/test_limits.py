"""What the system refuses: real limits, a real overflow, real permissions."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify limits exist on Linux only")
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


@pytest.fixture
def root():
    # Not below pytest's folder, which other users cannot enter.
    path = tempfile.mkdtemp()
    os.chmod(path, 0o755)
    Path(path, "m.py").write_text("x = 1\n")
    yield Path(path)
    shutil.rmtree(path)


def limited(name):
    """A command prefix under which the user's inotify limit `name` is 0; skips where no namespace can be made."""
    prefix = ["unshare", "-Ur", "sh", "-c", f'echo 0 > /proc/sys/user/{name} && exec "$0" "$@"']
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("a user namespace with limits of its own cannot be made here")
    return prefix


@pytest.mark.parametrize(
    "limit, names",
    [("max_inotify_watches", "max_user_watches"), ("max_inotify_instances", "max_user_instances")],
)
def test_a_reached_limit_is_named_and_polling_takes_over(watch, root, limit, names):
    events = watch(root, prefix=limited(limit))
    assert events.ready["watched"] == 0
    assert len(events.ready["fallbacks"]) == 1
    assert names in events.ready["fallbacks"][0]
    (root / "m.py").write_text("x = 2\n")
    assert [c["path"] for c in events.next()["changes"]] == [str(root / "m.py")]


def test_an_overflow_of_the_queue_loses_nothing(watch, root):
    length = int(QUEUE.read_text())
    if length > 50_000:
        pytest.skip(f"the event queue is too long to fill ({length})")
    events = watch(root)
    os.kill(events.process.pid, signal.SIGSTOP)
    for number in range(length):
        name = root / f"t{number % 7}.txt"
        name.write_text("")
        name.unlink()
    (root / "m.py").write_text("x = 2\n")
    (root / "pkg").mkdir()
    (root / "pkg" / "n.py").write_text("x = 2\n")
    os.kill(events.process.pid, signal.SIGCONT)
    wanted = {str(root / "m.py"), str(root / "pkg" / "n.py")}
    batches = events.until(wanted)
    assert {c["path"] for b in batches for c in b["changes"]} == wanted
    # And the directory made meanwhile is watched.
    (root / "pkg" / "n.py").write_text("x = 3\n")
    assert [c["path"] for c in events.next()["changes"]] == [str(root / "pkg" / "n.py")]
    assert events.close()["overflows"] == 1


def test_a_file_without_permission_is_an_error_and_comes_back(watch, print_events, root):
    options = {}
    if os.getuid() == 0:
        # root may read everything, and others may not enter the folder of a private clone.
        program = shutil.copy(print_events, root / "print_events")
        options = {"user": 65534, "group": 65534, "extra_groups": [], "program": program}
    events = watch(root, "--sweep", "200", **options)
    path = root / "m.py"
    path.chmod(0)
    fresh = root / "fresh.txt"
    fresh.write_text("x = 2\n")
    fresh.chmod(0)
    fresh.rename(path)
    (change,) = events.next()["changes"]
    assert change["size"] is None and "ermission" in change["error"], change
    path.chmod(0o644)
    (change,) = events.next()["changes"]
    assert change["error"] is None and change["size"] == 6, change
