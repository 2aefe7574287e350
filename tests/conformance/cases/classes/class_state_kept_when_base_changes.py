"""Class-level state and monkeypatches survive an edit that makes the class anew."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Base:
    pass
class Svc:
    instance = None
    hits = 0
    log = []
    def run(self):
        return "run"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Base:
    def base(self):
        return "base"
class Svc(Base):
    instance = None
    hits = 0
    log = []
    def run(self):
        return "RUN"
''',
        ),
    ],
]


def setup(ns):
    S = ns.mod.Svc
    S.instance = S()
    S.hits = 4
    S.log.append("a")
    S.extra = 1
    S.helper = lambda self: "patched"
    ns.i, ns.run = S.instance, S.instance.run


def check(ns):
    S = ns.mod.Svc
    assert S.instance is ns.i and S.hits == 4 and S.log == ["a"] and S.extra == 1
    assert ns.i.helper() == "patched" and ns.i.run() == "RUN" and ns.i.base() == "base" and ns.run() == "RUN"
