"""A lambda in a decorator's argument gets its new body without the decorator running again."""
WEIGHT = 1
TAGS = ['functions', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
import reg
@reg.rule(lambda x: x > 1)
def f(x):
    return x
''',
    'reg.py': '''\
RULES = []
def rule(test):
    def deco(fn):
        RULES.append((test, fn))
        return fn
    return deco
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'x > 1', 'x > 5'),
    ],
]


def check(ns):
    assert len(ns.reg.RULES) == 1
    test, fn = ns.reg.RULES[0]
    assert test(3) is False and test(6) is True
    assert fn is ns.mod.f
