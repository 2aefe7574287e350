"""An import inside a `try` that failed is tried again when the file appears and the statement is edited."""
WEIGHT = 1
TAGS = ['imports']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
try:
    import helper_later
    OK = True
except ImportError:
    helper_later = None
    OK = False
def get():
    return OK and helper_later.f()
''',
}

STEPS = [
    [
        ('write', 'helper_later.py', '''\
def f():
    return 7
'''),
        ('write', 'mod.py', '''\
try:
    import helper_later
    OK = 'yes'
except ImportError:
    helper_later = None
    OK = False
def get():
    return OK and helper_later.f()
'''),
    ],
]


def check(ns):
    assert ns.mod.get() == 7, ns.mod.get()
