"""The short form of `nox -s soak`, and that nothing happens between updates."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest


@pytest.mark.slow
def test_nothing_has_grown_after_many_updates(tool: Callable[..., str]) -> None:
    figures = json.loads(tool("soak.py", "--updates", "1250", seconds=280))
    assert figures["problems"] == 0
    assert figures["updates"] >= 1250
    assert figures["statuses"]["applied"] > figures["statuses"]["rejected"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="counted in /proc")
def test_nothing_happens_between_updates(drive: Callable[..., str]) -> None:
    drive(
        """
        import glob, re, mod
        session = hotswap.watch(".")
        save("mod.py", MOD.format(2))
        until(lambda: mod.f() == 2)
        assert sys.gettrace() is None and sys.getprofile() is None
        if sys.version_info >= (3, 12):
            assert [sys.monitoring.get_tool(tool) for tool in range(6)] == [None] * 6

        def woken():
            # How often each thread has gone to sleep; only this one and the reading here may.
            me = str(threading.get_native_id())
            found = {}
            for path in glob.glob("/proc/self/task/*/status"):
                with open(path) as file:
                    found[path] = int(re.search("^voluntary.*?([0-9]+)$", file.read(), re.M)[1])
            return sum(count for path, count in found.items() if path.split("/")[4] != me)

        def second():
            before = woken(), time.process_time()
            time.sleep(1)
            return woken() - before[0], time.process_time() - before[1]

        # For a moment after the last change the watcher looks again, and others with it.
        time.sleep(4)
        until(lambda: second()[0] == 0)
        # It also looks whether an event was lost, once in ten seconds: that is in one of these at most.
        seconds = [second() for _ in range(5)]
        assert sum(count == 0 for count, _ in seconds) >= 4, seconds
        assert sorted(spent for _, spent in seconds)[3] < 0.02, seconds
        """
    )
