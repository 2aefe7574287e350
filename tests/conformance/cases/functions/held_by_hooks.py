"""A signal handler, an excepthook, a Timer and an atexit function run their new bodies."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
out = []
def on_signal(number, frame):
    out.append('old signal')
def hook(kind, value, tb):
    out.append('old hook')
def later():
    out.append('old timer')
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "'old signal'", "'new signal'"),
        ('sub', 'mod.py', "'old hook'", "'new hook'"),
        ('sub', 'mod.py', "'old timer'", "'new timer'"),
    ],
]


def setup(ns):
    import signal, sys, threading
    signal.signal(signal.SIGUSR1, ns.mod.on_signal)
    sys.excepthook = ns.mod.hook
    ns.timer = threading.Timer(100, ns.mod.later)


def check(ns):
    import signal, sys, os
    os.kill(os.getpid(), signal.SIGUSR1)
    ns.wait(lambda: ns.mod.out)
    sys.excepthook(ValueError, ValueError(), None)
    ns.timer.function()
    assert ns.mod.out == ['new signal', 'new hook', 'new timer'], ns.mod.out
