"""Three stacked decorators are reordered and one is taken out; holders follow."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
def tag(name):
    def deco(fn):
        def wrapper(*a):
            return name + fn(*a)
        return wrapper
    return deco
@tag("a")
@tag("b")
@tag("c")
def f():
    return "f"
KEEP = {"f": f}
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
def tag(name):
    def deco(fn):
        def wrapper(*a):
            return name + fn(*a)
        return wrapper
    return deco
@tag("c")
@tag("a")
@tag("b")
def f():
    return "f"
KEEP = {"f": f}
''',
        ),
    ],
    [
        (
            'write',
            'mod.py',
            '''\
def tag(name):
    def deco(fn):
        def wrapper(*a):
            return name + fn(*a)
        return wrapper
    return deco
@tag("c")
@tag("b")
def f():
    return "F"
KEEP = {"f": f}
''',
        ),
    ],
]


def setup(ns):
    ns.f = ns.mod.f


def check_1(ns):
    assert ns.mod.f() == "cabf" == ns.f() == ns.mod.KEEP["f"]()


def check(ns):
    assert ns.mod.f() == "cbF" == ns.f() == ns.mod.KEEP["f"]()
