"""An attribute of a class, its methods, properties and static methods change at one moment, for the class as for its instances."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held"]
PYTHON = "3.8"


def _source(n):
    return (
        "class Thing:\n    version = %d\n\n    def method(self):\n        return %d\n\n    @property\n    def prop(self):\n        return %d\n\n"
        "    @staticmethod\n    def static():\n        return %d\n\n    @classmethod\n    def build(cls):\n        return %d\n\n\nthing = Thing()\n"
        % (n, n, n, n, n)
    )


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 17)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    ns.bad, ns.stop = [], threading.Event()
    thing, kind = ns.mod.thing, ns.mod.Thing
    method = thing.method
    readers = [
        lambda: kind.version,
        lambda: thing.version,
        method,
        lambda: thing.prop,
        kind.static,
        kind.build,
    ]

    def watch(first, second):
        while not ns.stop.is_set():
            try:
                before = first()
                after = second()
            except Exception as error:
                ns.bad.append(repr(error))
                return
            if after < before:
                ns.bad.append((before, after))
                return

    pairs = [(one, two) for one in readers for two in readers if one is not two]
    pairs = (pairs * 5)[:5] if len(pairs) < 5 else pairs[:: max(1, len(pairs) // 5)][:5]
    ns.threads = [threading.Thread(target=watch, args=pair, daemon=True) for pair in pairs]
    for thread in ns.threads:
        thread.start()
    ns.readers = readers


def check(ns):
    ns.stop.set()
    for thread in ns.threads:
        thread.join(3)
    seen = [read() for read in ns.readers]
    assert set(seen) == {16}, seen
    assert not ns.bad, ns.bad[:3]
