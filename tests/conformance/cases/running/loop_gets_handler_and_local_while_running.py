"""A running loop gets a variable of its own and a handler around what it does."""

WEIGHT = 1
TAGS = ["running", "on-stack", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
import time
def start(seen, stop):
    n = 0
    while not stop.is_set():
        n += 1
        seen.append(n)
        time.sleep(0.005)
""",
}

STEPS = [
    [
        (
            "write",
            "mod.py",
            "import time\ndef start(seen, stop):\n    n = 0\n    errors = []\n    while not stop.is_set():\n        n += 1\n        try:\n            1 // 0\n        except ZeroDivisionError as error:\n            errors.append(error)\n        seen.append((n, len(errors)))\n        time.sleep(0.005)\n",
        ),
    ],
]


def setup(ns):
    import threading

    ns.seen, ns.stop = [], threading.Event()
    ns.t = threading.Thread(target=ns.mod.start, args=(ns.seen, ns.stop), daemon=True)
    ns.t.start()
    assert ns.wait(lambda: len(ns.seen) > 2)


def check(ns):
    ok = ns.wait(lambda: isinstance(ns.seen[-1], tuple) and ns.seen[-1][1] > 2)
    ns.stop.set()
    ns.t.join(3)
    assert ok and not ns.t.is_alive()
    numbers = [each[0] if isinstance(each, tuple) else each for each in ns.seen]
    assert numbers == list(range(1, len(numbers) + 1))
