"""A thread that goes through a dict or set while an edit adds entries to it does not fail.
DEBATABLE: the program would fail itself if it did so in two threads; but it did not write that."""
WEIGHT = 2
TAGS = ['threads', 'held', 'state', 'debatable']
PYTHON = '3.8'


def _source(n):
    entries = ", ".join("'k%d': %d" % (i, i) for i in range(3 + n))
    return "TABLE = {%s}\nKINDS = {%s}\nROWS = [%s]\n" % (
        entries, ", ".join(str(i) for i in range(3 + n)), ", ".join(str(i) for i in range(3 + n)))


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 12)]


def setup(ns):
    import sys
    import threading
    sys.setswitchinterval(1e-6)
    mod = ns.mod
    ns.held = mod.TABLE
    ns.bad, ns.stop = [], threading.Event()

    def watch(get):
        while not ns.stop.is_set():
            try:
                seen = [str(each) for each in get()]
            except Exception as error:
                ns.bad.append(repr(error))
                return
            if len(seen) < 3:
                ns.bad.append(seen)
                return

    getters = [lambda: mod.TABLE, lambda: ns.held, lambda: mod.KINDS, lambda: mod.ROWS, lambda: mod.TABLE.items()]
    ns.threads = [threading.Thread(target=watch, args=(get,), daemon=True) for get in getters]
    for thread in ns.threads:
        thread.start()


def check(ns):
    ns.stop.set()
    for thread in ns.threads:
        thread.join(3)
    assert len(ns.mod.TABLE) == len(ns.mod.KINDS) == len(ns.mod.ROWS) == 14
    assert not ns.bad, ns.bad[:3]
