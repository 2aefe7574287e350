"""A constant, the copies that other modules imported and what is derived of it change at one moment."""

WEIGHT = 2
TAGS = ["threads", "atomic", "held"]
PYTHON = "3.8"


def _source(n):
    return "WIDTH = %d\nPAIR = (WIDTH, WIDTH)\n" % n


FILES = {
    "size.py": _source(0),
    "use.py": "import size\nfrom size import WIDTH\n\nAREA = WIDTH * 10\nTEXT = f'{size.WIDTH}'\n\n\ndef width(w=size.WIDTH):\n    return w\n",
}
STEPS = [[("write", "size.py", _source(n))] for n in range(1, 17)]


def setup(ns):
    import sys
    import threading

    sys.setswitchinterval(1e-6)
    ns.bad, ns.stop = [], threading.Event()
    size, use = ns.size, ns.use
    width = use.width
    readers = [
        lambda: size.WIDTH,
        lambda: use.WIDTH,
        lambda: use.AREA // 10,
        lambda: int(use.TEXT),
        width,
        lambda: size.PAIR[1],
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
