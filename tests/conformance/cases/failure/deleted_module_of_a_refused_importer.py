"""A module whose file goes in the same save as an importer that fails stays loaded until that is mended."""
WEIGHT = 2
TAGS = ['failure', 'imports']
PYTHON = '3.8'

_OLD = '''\
import leaf


def f():
    return leaf.g()
'''
_BAD = '''\
def f():
    return 2


1 / 0
'''
_GOOD = '''\
def f():
    return 2
'''
FILES = {'mod.py': _OLD, 'leaf.py': 'def g():\n    return 1\n'}
STEPS = [[('delete', 'leaf.py'), ('write', 'mod.py', _BAD)], [('write', 'mod.py', _GOOD)]]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    import sys
    assert ns.f() == 1 and sys.modules.get("leaf") is ns.leaf and ns.mod.leaf is ns.leaf


def check_2(ns):
    import sys
    assert ns.f() == 2 and "leaf" not in sys.modules and not hasattr(ns.mod, "leaf")
