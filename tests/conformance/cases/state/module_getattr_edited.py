"""A module's `__getattr__` and `__dir__` are edited like any function, also added."""
WEIGHT = 1
TAGS = ['state']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
def __getattr__(name):
    if name == 'answer':
        return 41
    raise AttributeError(name)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
def __getattr__(name):
    if name == 'answer':
        return 42
    raise AttributeError(name)
def __dir__():
    return ['answer']
'''),
    ],
]


def check(ns):
    assert ns.mod.answer == 42
    assert dir(ns.mod) == ['answer']
