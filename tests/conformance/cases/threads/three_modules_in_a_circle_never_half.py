"""Three modules that import one another in a circle change at one moment."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held"]
PYTHON = "3.8"


def _source(n, other):
    return (
        "import %s\n\nVALUE = %d\n\n\ndef own():\n    return %d\n\n\ndef others():\n    return %s.own()\n"
        % (other, n, n, other)
    )


_NEXT = {"a": "b", "b": "c", "c": "a"}
FILES = {name + ".py": _source(0, other) for name, other in _NEXT.items()}
STEPS = [[("write", name + ".py", _source(n, other)) for name, other in _NEXT.items()] for n in range(1, 17)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    ns.bad, ns.stop = [], threading.Event()
    a, b, c = ns.a, ns.b, ns.c
    readers = [a.own, b.own, c.own, lambda: a.VALUE, lambda: c.VALUE]

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
