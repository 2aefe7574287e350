"""A flag that turns a block on runs the call in it, once; turned off again, what it registered goes."""
WEIGHT = 2
TAGS = ['state', 'blocks', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
DEBUG = False
HANDLERS = []
def register(f):
    HANDLERS.append(f)
def trace(x):
    return x
def log(x):
    return [h(x) for h in HANDLERS]
register(trace)
if DEBUG:
    def shout(x):
        return x.upper()
    register(shout)
''',
}

STEPS = [
    [
        ('sub', 'mod.py', 'DEBUG = False', 'DEBUG = True'),
    ],
    [
        ('sub', 'mod.py', 'x.upper()', 'x.upper() + "!"'),
    ],
    [
        ('sub', 'mod.py', 'DEBUG = True', 'DEBUG = False'),
    ],
]


def setup(ns):
    ns.log = ns.mod.log


def check_1(ns):
    assert ns.log('a') == ['a', 'A'], ns.log('a')


def check_2(ns):
    assert ns.log('a') == ['a', 'A!'], ns.log('a')


def check(ns):
    assert ns.log('a') == ['a'], ns.log('a')
    assert not hasattr(ns.mod, 'shout')
