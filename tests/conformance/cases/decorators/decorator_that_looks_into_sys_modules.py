"""A decorator whose code makes modules and looks into sys.modules keeps the modules when it is applied again."""
WEIGHT = 2
TAGS = ['decorators']
PYTHON = '3.8'

FILES = {
    'making.py': '''\
import sys
from types import ModuleType
KNOWN = {}
def declare(twice=False):
    def decorator(function):
        home = sys.modules[function.__module__]
        assert isinstance(home, ModuleType)
        KNOWN[function.__name__] = twice
        return function
    return decorator
''',
    'mod.py': '''\
import user
from making import KNOWN, declare
@declare()
def f():
    return "old"
''',
    'user.py': '''\
import mod
def use():
    return mod.f()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import user
from making import KNOWN, declare
@declare(twice=True)
def f():
    return "new"
'''),
    ],
]


def check(ns):
    import sys
    assert ns.mod.f() == "new"
    assert ns.mod.KNOWN == {"f": True}
    assert "making" in sys.modules and "mod" in sys.modules and "user" in sys.modules
