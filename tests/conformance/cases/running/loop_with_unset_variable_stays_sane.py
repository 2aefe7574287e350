"""A running loop whose new body reads a variable that was never set goes on in its old code."""

WEIGHT = 1
TAGS = ["running", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
import time
def start(seen, stop):
    n = 0
    while not stop.is_set():
        n += 1
        seen.append(n)
        time.sleep(0.005)
""",
}

STEPS = [
    [
        ("sub", "mod.py", "    n = 0\n", "    n = 0\n    began = time.time()\n"),
        ("sub", "mod.py", "seen.append(n)", "seen.append((n, began > 0))"),
    ],
]


def setup(ns):
    import threading

    ns.seen, ns.stop = [], threading.Event()
    ns.t = threading.Thread(target=ns.mod.start, args=(ns.seen, ns.stop), daemon=True)
    ns.t.start()
    assert ns.wait(lambda: len(ns.seen) > 2)


def check(ns):
    before = len(ns.seen)
    ok = ns.wait(lambda: len(ns.seen) > before + 3)
    ns.stop.set()
    ns.t.join(3)
    assert ok and not ns.t.is_alive()
    numbers = [each[0] if isinstance(each, tuple) else each for each in ns.seen]
    assert numbers == list(range(1, len(numbers) + 1))
    fresh = []
    ns.mod.start(fresh, type("Stop", (), {"is_set": lambda self: len(fresh) > 1})())
    assert fresh == [(1, True), (2, True)]
