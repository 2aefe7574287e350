"""Under gevent's and eventlet's monkey-patching: updates come, and the hub goes on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest

Drive = Callable[..., str]
PATCH = {
    "gevent": "from gevent import monkey\nmonkey.patch_all()\nimport gevent\nspawn, sleep = gevent.spawn, gevent.sleep\n",
    "eventlet": "import eventlet\neventlet.monkey_patch()\nspawn, sleep = eventlet.spawn, eventlet.sleep\n",
}


@pytest.fixture(params=PATCH)
def patch(request: pytest.FixtureRequest) -> str:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return PATCH[request.param]


PROGRAM = """
import mod
ticks = []
def tick():
    while True:
        ticks.append(mod.f())
        sleep(0.001)
session = hotswap.watch(".")
greenlet = spawn(tick)
for number in range(2, 12):
    save("mod.py", MOD.format(number))
    before = len(ticks)
    until(lambda: mod.f() == number)
    until(lambda: len(ticks) > before + 3)
save("mod.py", MOD.format(20))
report = hotswap.sync()
assert mod.f() == 20, report
session.pause()
save("mod.py", MOD.format(21))
sleep(0.1)
assert mod.f() == 20
session.resume()
until(lambda: mod.f() == 21)
# The update is told of right after it is live.
until(lambda: session.status()["generation"] >= 12)
until(lambda: ticks[-1] == 21)
"""


def test_patched_before_hotswap_is_imported(patch: str, drive: Drive) -> None:
    drive(PROGRAM, first=patch, seconds=30)


@pytest.mark.slow
def test_patched_after_hotswap_is_imported(patch: str, drive: Drive) -> None:
    drive(patch + PROGRAM, seconds=30)


@pytest.mark.slow
def test_patched_while_hotswap_watches(patch: str, drive: Drive) -> None:
    drive("hotswap.watch('.')\n" + patch + PROGRAM, seconds=30)
