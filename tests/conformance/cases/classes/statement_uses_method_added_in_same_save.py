"""A changed statement reads a method of a live instance that the same save adds or renames."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class A:
    def old(self): return "x"
    def call(self): return self.old()
a = A()
cb = a.old
def use(): return a.call(), cb()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
class A:
    def new(self): return "y"
    def call(self): return self.new()
a = A()
cb = a.new
def use(): return a.call(), cb()
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.use(), hasattr(m.a, "old")) == (('y', 'y'), False), (m.use(), hasattr(m.a, "old"))
