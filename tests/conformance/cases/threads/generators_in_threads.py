"""Generators that threads go through end in the code they began in; those that begin later are new, in every thread."""

WEIGHT = 2
TAGS = ["threads", "running"]
PYTHON = "3.8"


def _source(n):
    return (
        "def rows():\n    yield %d\n    for _ in range(20):\n        yield %d\n    yield %d\n\n\ndef version():\n    return %d\n"
        % (n, n, n, n)
    )


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 17)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    rows, version = ns.mod.rows, ns.mod.version
    ns.stop, ns.bad = threading.Event(), []

    def watch():
        while not ns.stop.is_set():
            before = version()
            seen = list(rows())
            after = version()
            if seen != sorted(seen) or len(seen) != 22 or not before <= seen[0] or not seen[-1] <= after:
                ns.bad.append((before, seen, after))
                return

    ns.threads = [threading.Thread(target=watch, daemon=True) for _ in range(4)]
    for thread in ns.threads:
        thread.start()


def check(ns):
    ns.stop.set()
    for thread in ns.threads:
        thread.join(5)
    assert list(ns.mod.rows()) == [16] * 22
    assert not ns.bad, ns.bad[:3]
