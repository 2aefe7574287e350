"""Instances that threads make while a save adds an attribute in `__init__` and its reader: no reader misses it."""

WEIGHT = 2
TAGS = ["threads", "classes", "state"]
PYTHON = "3.8"


def _source(n):
    return (
        "class Thing:\n    def __init__(self):\n        self.a = 0\n"
        + "".join("        self.x%d = %d\n" % (i, i) for i in range(n))
        + "\n    def total(self):\n        return 0"
        + "".join(" + self.x%d" % i for i in range(n))
        + "\n"
    )


FILES = {
    "mod.py": _source(0),
    "pyproject.toml": '[tool.hotswap]\nconsistency = "quiescent"\nquiescence_timeout = 5\n',
}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 11)]


def setup(ns):
    import threading
    import time

    kind = ns.mod.Thing
    ns.stop, ns.bad = threading.Event(), []

    def watch():
        things = [kind() for _ in range(20)]
        while not ns.stop.is_set():
            try:
                things[0] = kind()
                things.append(things.pop(0))
                for thing in things:
                    thing.total()
            except Exception as error:
                ns.bad.append(repr(error))
                return
            time.sleep(0.0001)

    ns.threads = [threading.Thread(target=watch, daemon=True) for _ in range(3)]
    for thread in ns.threads:
        thread.start()
    ns.thing = kind()


def check(ns):
    ns.stop.set()
    for thread in ns.threads:
        thread.join(5)
    assert ns.thing.total() == ns.mod.Thing().total() == 45
    assert not ns.bad, ns.bad[:3]
