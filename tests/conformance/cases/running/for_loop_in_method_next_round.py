"""A `for` loop in a method takes its new body at the next round and keeps its iterator."""

WEIGHT = 1
TAGS = ["running", "on-stack", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
import time
class Worker:
    def __init__(self, seen, stop):
        self.seen, self.stop = seen, stop
    def run(self):
        for i in range(100000):
            if self.stop.is_set():
                return
            self.seen.append(("old", i))
            time.sleep(0.005)
def start(seen, stop):
    Worker(seen, stop).run()
""",
}

STEPS = [
    [
        ("sub", "mod.py", '("old", i)', '("new", i)'),
    ],
]


def setup(ns):
    import threading

    ns.seen, ns.stop = [], threading.Event()
    ns.t = threading.Thread(target=ns.mod.start, args=(ns.seen, ns.stop), daemon=True)
    ns.t.start()
    assert ns.wait(lambda: len(ns.seen) > 2)


def check(ns):
    ok = ns.wait(lambda: ns.seen[-1][0] == "new")
    ns.stop.set()
    ns.t.join(3)
    assert ok and not ns.t.is_alive()
    assert [i for _, i in ns.seen] == list(range(len(ns.seen)))
