"""__doc__, __annotations__, __qualname__, __module__ of a class and its members follow."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    """old"""
    x: int = 1
    def m(self, a: int) -> int:
        """old m"""
        return a
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class A:
    """new"""
    y: str = "s"
    x: float = 1
    def m(self, a: str, b: "A" = None) -> str:
        """new m"""
        return a
    class N:
        """nested"""
    def k(self):
        def inner():
            pass
        return inner
''',
        ),
    ],
]


def setup(ns):
    ns.A, ns.a = ns.mod.A, ns.mod.A()


def check(ns):
    import inspect
    A = ns.A
    assert A.__doc__ == "new" and A.__annotations__ == {"y": str, "x": float}
    assert A.m.__doc__ == "new m" and A.m.__annotations__ == {"a": str, "b": "A", "return": str}
    assert str(inspect.signature(A.m)) == "(self, a: str, b: 'A' = None) -> str"
    assert A.N.__qualname__ == "A.N" and A.N.__module__ == "mod" and A.k.__qualname__ == "A.k"
    assert ns.a.k().__qualname__ == "A.k.<locals>.inner" and A.k.__module__ == "mod"
