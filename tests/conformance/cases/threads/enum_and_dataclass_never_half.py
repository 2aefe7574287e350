"""The members of an enum, fields of a dataclass and the functions beside them change at one moment."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held"]
PYTHON = "3.8"


def _source(n):
    return (
        "import dataclasses\nimport enum\n\n\nclass Level(enum.IntEnum):\n    LOW = %d\n    HIGH = %d\n\n\n@dataclasses.dataclass\nclass Point:\n    x: int = %d\n\n\ndef f():\n    return %d\n"
        % (n, n + 1000, n, n)
    )


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 16)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    ns.bad, ns.stop = [], threading.Event()
    mod = ns.mod
    f = mod.f
    readers = [f, lambda: int(mod.Level.LOW), lambda: mod.Level.HIGH.value - 1000, lambda: mod.Point().x]

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
