"""What a save that fails in its last statement would have brought is seen by nobody."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held"]
PYTHON = "3.8"


def _source(n, tail=""):
    return (
        "LIMIT = %d\n\n\ndef f():\n    return %d\n\n\nclass Thing:\n    version = %d\n\n    def method(self):\n        return %d\n\n\nrows = [%d]\n%s"
        % (n, n, n, n, n, tail)
    )


def _steps():
    for n in range(1, 16):
        yield [("write", "mod.py", _source(1000 - n, "print(sorted([f(), f()], key=lambda x: 1 / 0))\n"))]
        yield [("write", "mod.py", _source(n))]


FILES = {"mod.py": _source(0)}
STEPS = list(_steps())


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    ns.bad, ns.stop = [], threading.Event()
    mod = ns.mod
    f, thing = mod.f, mod.Thing()
    readers = [f, thing.method, lambda: mod.LIMIT, lambda: thing.version, lambda: mod.rows[0]]

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
    assert set(seen) == {15}, seen
    assert not ns.bad, ns.bad[:3]
