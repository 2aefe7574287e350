"""With consistency = "quiescent" a server's main loop and its helper change between two of its rounds, never within one."""

WEIGHT = 2
TAGS = ["running", "on-stack", "threads", "atomic", "held"]
PYTHON = "3.8"

FILES = {
    "hook.py": """\
import threading
stop = threading.Event()
OUT = []
""",
    "mod.py": """\
import hook, time, threading
def helper():
    return "old"
def serve():
    while not hook.stop.is_set():
        first = helper()
        time.sleep(0.01)
        hook.OUT.append(("old", first, helper()))
def start():
    t = threading.Thread(target=serve, daemon=True)
    t.start()
    return t
""",
    "pyproject.toml": '[tool.hotswap]\nconsistency = "quiescent"\nquiescence_timeout = 5\n',
}

STEPS = [
    [
        ("sub", "mod.py", 'return "old"', 'return "new"'),
        ("sub", "mod.py", '("old", first, helper())', '("new", first, helper())'),
    ],
]


def setup(ns):
    ns.threads = [ns.mod.start(), ns.mod.start()]
    ns.out = ns.hook.OUT
    assert ns.wait(lambda: len(ns.out) > 3)


def check(ns):
    ok = ns.wait(lambda: [line[0] for line in ns.out[-3:]] == ["new"] * 3)
    ns.hook.stop.set()
    assert ok, ns.out[-3:]
    for thread in ns.threads:
        thread.join(3)
    assert all(len(set(line)) == 1 for line in ns.out), ns.out
