"""A class that is passed on to a call below its statement is made anew when what that call runs was edited; its generated code keeps its file name."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
import linecache
def write(cls, name, text, globs=None):
    base = f"<generated {name} {cls.__qualname__}>"
    file, n = base, 0
    while file in linecache.cache and linecache.cache[file][2] != [text]:
        n += 1
        file = f"{base[:-1]}-{n}>"
    linecache.cache[file] = (len(text), None, [text], file)
    ns = {}
    exec(compile(text, file, "exec"), globs or {}, ns)
    setattr(cls, name, ns[name])
    return cls
def add_repr(cls, fields):
    return write(cls, "__repr__", f"def __repr__(self): return {cls.__name__!r} + '({', '.join(fields)})'")
def add_eq(cls, fields):
    return write(cls, "__eq__", f"def __eq__(self, other): return {' and '.join(f'self.{f} == other.{f}' for f in fields)}")
class Point:
    __slots__ = ("x", "y")
    def __init__(self, x, y):
        self.x, self.y = x, y
_f = list(Point.__slots__)
Point = add_eq(add_repr(Point, fields=_f), fields=[f for f in _f if f != "y"])
ONE = Point(1, 2)
NAMED = ONE.__repr__.__func__.__code__.co_filename
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
import linecache
def write(cls, name, text, globs=None):
    base = f"<generated {name} {cls.__qualname__}>"
    file, n = base, 0
    while file in linecache.cache and linecache.cache[file][2] != [text]:
        n += 1
        file = f"{base[:-1]}-{n}>"
    linecache.cache[file] = (len(text), None, [text], file)
    ns = {}
    exec(compile(text, file, "exec"), globs or {}, ns)
    setattr(cls, name, ns[name])
    return cls
def add_repr(cls, fields):
    return write(cls, "__repr__", f"def __repr__(self): return {cls.__name__!r} + '<{', '.join(fields)}>'")
def add_eq(cls, fields):
    return write(cls, "__eq__", f"def __eq__(self, other): return {' and '.join(f'self.{f} == other.{f}' for f in fields)}")
class Point:
    __slots__ = ("x", "y")
    def __init__(self, x, y):
        self.x, self.y = x, y
_f = list(Point.__slots__)
Point = add_eq(add_repr(Point, fields=_f), fields=[f for f in _f if f != "y"])
ONE = Point(1, 2)
NAMED = ONE.__repr__.__func__.__code__.co_filename
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (repr(m.ONE)) == 'Point<x, y>', (repr(m.ONE))
    assert (type(m.ONE) is m.Point) == True, (type(m.ONE) is m.Point)
    assert (m.ONE == m.Point(1, 3)) == True, (m.ONE == m.Point(1, 3))
    assert (m.Point.__repr__.__code__.co_filename) == '<generated __repr__ Point>', (m.Point.__repr__.__code__.co_filename)
