"""A thread and a generator that an added statement starts use the module's own names."""
WEIGHT = 3
TAGS = ['threads', 'statements']
PYTHON = '3.8'

FILES = {"mod.py": "COUNT = 0\nSTEP = 1\nstop = False\n"}
STEPS = [[("write", "mod.py", """\
import threading

COUNT = 0
STEP = 1
stop = False


def tick():
    global COUNT
    COUNT += STEP


def work():
    while not stop:
        tick()
        started.set()
        go_on.wait(0.01)


def numbers():
    while True:
        yield STEP


started = threading.Event()
go_on = threading.Event()
thread = threading.Thread(target=work, daemon=True)
thread.start()
started.wait(5)
series = numbers()
next(series)
""")]]


def check(ns):
    import gc
    gc.collect()
    mod = ns.mod
    mod.STEP = 1000
    assert ns.wait(lambda: mod.COUNT > 2000), mod.COUNT
    assert next(mod.series) == 1000
    mod.stop = True
    mod.go_on.set()
    mod.thread.join(5)
    assert not mod.thread.is_alive()
