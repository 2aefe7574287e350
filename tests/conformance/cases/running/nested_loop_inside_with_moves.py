"""An inner loop inside `with` takes its new body; the manager is left once."""

WEIGHT = 1
TAGS = ["running", "on-stack", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
import contextlib, time
LEFT = []
@contextlib.contextmanager
def held():
    yield
    LEFT.append(1)
def start(seen, stop):
    with held():
        for outer in range(3):
            while not stop.is_set():
                seen.append("old")
                time.sleep(0.005)
""",
}

STEPS = [
    [
        ("sub", "mod.py", 'seen.append("old")', 'seen.append("new")'),
    ],
]


def setup(ns):
    import threading

    ns.seen, ns.stop = [], threading.Event()
    ns.t = threading.Thread(target=ns.mod.start, args=(ns.seen, ns.stop), daemon=True)
    ns.t.start()
    assert ns.wait(lambda: len(ns.seen) > 2)


def check(ns):
    ok = ns.wait(lambda: ns.seen[-1] == "new")
    ns.stop.set()
    ns.t.join(3)
    assert ok and not ns.t.is_alive()
    assert ns.mod.LEFT == [1]
