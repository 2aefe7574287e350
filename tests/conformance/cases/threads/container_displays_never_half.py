"""What an edit changes in a dict, a list and a set is seen all at once, by whoever copies them in one call."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held", "state"]
PYTHON = "3.8"


def _source(n):
    return "TABLE = {'a': %d, 'b': %d, 'c': %d}\nROWS = [%d, %d, %d]\nKINDS = {%d, %d}\n" % (
        n,
        n,
        n,
        n,
        n,
        n,
        n,
        n + 1000,
    )


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 17)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    mod = ns.mod
    mod.TABLE["mine"] = "kept"
    ns.held = mod.TABLE
    ns.bad, ns.stop = [], threading.Event()

    def watch():
        while not ns.stop.is_set():
            try:
                table, rows, kinds = dict(mod.TABLE), tuple(mod.ROWS), frozenset(mod.KINDS)
            except Exception as error:
                ns.bad.append(repr(error))
                return
            if len({table["a"], table["b"], table["c"]}) != 1 or table["mine"] != "kept":
                ns.bad.append(table)
                return
            if len(set(rows)) != 1 or len(rows) != 3:
                ns.bad.append(rows)
                return
            if len(kinds) != 2 or max(kinds) - min(kinds) != 1000:
                ns.bad.append(kinds)
                return

    ns.threads = [threading.Thread(target=watch, daemon=True) for _ in range(4)]
    for thread in ns.threads:
        thread.start()


def check(ns):
    ns.stop.set()
    for thread in ns.threads:
        thread.join(3)
    assert ns.mod.TABLE["a"] == 16 and ns.mod.ROWS == [16] * 3 and ns.mod.TABLE is ns.held
    assert not ns.bad, ns.bad[:3]
