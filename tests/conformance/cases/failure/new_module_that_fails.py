"""A new module, imported by an edited one, that raises half-way: it is not loaded, nor is what it imported; mended, both are."""
WEIGHT = 2
TAGS = ['failure', 'imports']
PYTHON = '3.8'

_OLD = '''\
def f():
    return 1
'''
_BAD = '''\
import fresh


def f():
    return fresh.VALUE
'''
_GOOD = '''\
import fresh


def f():
    return fresh.VALUE + 1
'''
FILES = {'mod.py': _OLD}
STEPS = [[('write', 'deeper.py', 'LOG = []\n'), ('write', 'fresh.py', 'import deeper\ndeeper.LOG.append(1)\nVALUE = 2\n1 / 0\n'), ('write', 'mod.py', _BAD)], [('write', 'fresh.py', 'import deeper\ndeeper.LOG.append(1)\nVALUE = 2\n'), ('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    import sys
    assert ns.f() == 1 and not hasattr(ns.mod, "fresh")
    assert "fresh" not in sys.modules and "deeper" not in sys.modules


def check_2(ns):
    import sys
    assert ns.f() == 3 and sys.modules["fresh"].deeper.LOG == [1]
