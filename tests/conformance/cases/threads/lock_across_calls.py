"""Threads that hold a lock of the module across calls of changed code, and a new statement that takes it:
the update waits for the lock, the threads for nobody."""

WEIGHT = 2
TAGS = ["threads", "held"]
PYTHON = "3.8"

_HEAD = "import threading\n\nLOCK = threading.Lock()\nbalance = [0, 0]\n\n\n"
_MOVE = "def move(n):\n    with LOCK:\n        balance[0] -= n\n        audit(n)\n        balance[1] += n\n\n\ndef audit(n):\n    return n * %d\n"


def _source(n):
    taken = "\n\nwith LOCK:\n    CHECK_%d = sum(balance)\n" % n if n else ""
    return _HEAD + _MOVE % n + taken


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 16)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-5)
    move = ns.mod.move
    ns.lock = ns.mod.LOCK
    ns.stop, ns.calls = threading.Event(), [0] * 4

    def run(number):
        while not ns.stop.is_set():
            move(1)
            ns.calls[number] += 1

    ns.threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(4)]
    for thread in ns.threads:
        thread.start()


def check(ns):
    ns.stop.set()
    for thread in ns.threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in ns.threads)
    assert ns.mod.LOCK is ns.lock and not ns.lock.locked()
    assert ns.mod.CHECK_15 == 0 and ns.mod.audit(1) == 15
    assert ns.mod.balance == [-sum(ns.calls), sum(ns.calls)]
