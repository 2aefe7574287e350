"""Functions under a decorator, in a registry and in a partial change with the plain ones."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held"]
PYTHON = "3.8"


def _source(n):
    return (
        "import functools\n\nREGISTRY = {}\n\n\ndef deco(f):\n    @functools.wraps(f)\n    def wrapper(*args):\n        return f(*args)\n    REGISTRY[f.__name__] = wrapper\n    return wrapper\n\n\n"
        "@deco\ndef one():\n    return %d\n\n\n@deco\ndef two():\n    return %d\n\n\ndef plain(a, b):\n    return a * 0 + b * 0 + %d\n\n\nhalf = functools.partial(plain, 1)\n"
        % (n, n, n)
    )


FILES = {"mod.py": _source(0)}
STEPS = [[("write", "mod.py", _source(n))] for n in range(1, 17)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    ns.bad, ns.stop = [], threading.Event()
    mod = ns.mod
    one, half, plain = mod.one, mod.half, mod.plain
    readers = [one, mod.REGISTRY["two"], lambda: half(2), lambda: plain(1, 2)]

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
