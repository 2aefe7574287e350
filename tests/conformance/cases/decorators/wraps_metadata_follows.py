"""functools.wraps copies of doc, name, annotations and signature follow the function."""
WEIGHT = 1
TAGS = ['decorators', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import functools
def deco(fn):
    @functools.wraps(fn)
    def wrapper(*a, **k):
        return fn(*a, **k)
    return wrapper
@deco
def f(x: int) -> int:
    """old"""
    return x
class A:
    @deco
    def m(self, x: int):
        """old m"""
        return x
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
import functools
def deco(fn):
    @functools.wraps(fn)
    def wrapper(*a, **k):
        return fn(*a, **k)
    return wrapper
@deco
def f(x: str, y: float = 2.0) -> str:
    """new"""
    return x
class A:
    @deco
    def m(self, x: str, z=1):
        """new m"""
        return (x, z)
''',
        ),
    ],
]


def setup(ns):
    ns.f, ns.a = ns.mod.f, ns.mod.A()


def check(ns):
    import inspect
    assert ns.f.__doc__ == "new" and ns.f.__annotations__ == {"x": str, "y": float, "return": str}
    assert str(inspect.signature(ns.f)) == "(x: str, y: float = 2.0) -> str"
    assert ns.a.m("a") == ("a", 1) and ns.mod.A.m.__doc__ == "new m"
    assert str(inspect.signature(ns.a.m)) == "(x: str, z=1)"
