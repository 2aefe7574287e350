"""A loop that waits in C while its function is edited runs the new body from its next round on."""

WEIGHT = 2
TAGS = ["running", "on-stack", "threads", "held"]
PYTHON = "3.8"

FILES = {
    "mod.py": """\
import os, threading
OUT = []
READING, WRITING = os.pipe()
def work():
    while True:
        word = os.read(READING, 1)
        OUT.append(("old", word))
        if word == b"e":
            return "old"
""",
}

STEPS = [
    [("sub", "mod.py", '("old", word)', '("new", word)'), ("sub", "mod.py", 'return "old"', 'return "new"')],
]


def setup(ns):
    import os
    import threading

    ns.out, ns.results, ns.writing = ns.mod.OUT, [], ns.mod.WRITING
    work = ns.mod.work
    ns.thread = threading.Thread(target=lambda: ns.results.append(work()), daemon=True)
    ns.thread.start()
    os.write(ns.writing, b"a")
    assert ns.wait(lambda: len(ns.out) == 1)


def check(ns):
    import os

    os.write(ns.writing, b"b")
    assert ns.wait(lambda: len(ns.out) == 2)
    os.write(ns.writing, b"ce")
    ns.thread.join(5)
    assert ns.results == ["new"], ns.results
    assert [word for word, _ in ns.out[2:]] == ["new", "new"], ns.out
