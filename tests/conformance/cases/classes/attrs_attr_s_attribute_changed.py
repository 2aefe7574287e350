"""attr.s without slots: attributes added and removed, a validator and a converter added."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'
NEEDS = ['attrs']

FILES = {
    'mod.py': '''\
import attr
@attr.s
class P:
    x = attr.ib()
    y = attr.ib(default=2)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import attr
@attr.s
class P:
    x = attr.ib(converter=int)
    z = attr.ib(default=3, validator=attr.validators.instance_of(int))
    def total(self):
        return self.x + self.z
''',
        ),
    ],
]


def setup(ns):
    ns.p = ns.mod.P(1)


def check(ns):
    assert ns.p.total() == 4 and repr(ns.p) == "P(x=1, z=3)" and ns.mod.P("7").x == 7
    assert isinstance(ns.p, ns.mod.P) and ns.p == ns.mod.P(1)
    try:
        ns.mod.P(1, "a")
    except TypeError:
        pass
    else:
        raise AssertionError("not validated")
