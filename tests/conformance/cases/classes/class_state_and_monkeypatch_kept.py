"""Attributes the program set on a class stay when other members are edited; so does a monkeypatched method."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Svc:
    instance = None
    retries = 3
    def run(self):
        return "run"
    def stop(self):
        return "stop"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Svc:
    instance = None
    retries = 3
    timeout = 5
    def run(self):
        return "run"
    def stop(self):
        return "STOP"
''',
        ),
    ],
]


def setup(ns):
    S = ns.mod.Svc
    S.instance = S()
    S.retries = 9
    S.extra = "x"
    S.run = lambda self: "patched"
    ns.i = S.instance


def check(ns):
    S = ns.mod.Svc
    assert S.instance is ns.i and S.retries == 9 and S.extra == "x" and ns.i.run() == "patched"
    assert ns.i.stop() == "STOP" and S.timeout == 5
