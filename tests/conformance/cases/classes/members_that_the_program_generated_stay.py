"""What a program generated for a class after its statement ran stays when the class is edited."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.10'

FILES = {
    'mod.py': '''\
from dataclasses import dataclass
class Config:
    def __new__(cls, **kwargs):
        dataclass(kw_only=True, eq=False)(cls)
        made = object.__new__(cls)
        made.__init__(**kwargs)
        return made
class Net(Config):
    """Old."""
    size: int
    name: str = "n"
ONE = Net(size=3)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from dataclasses import dataclass
class Config:
    def __new__(cls, **kwargs):
        dataclass(kw_only=True, eq=False)(cls)
        made = object.__new__(cls)
        made.__init__(**kwargs)
        return made
class Net(Config):
    """New."""
    size: int
    name: str = "n"
ONE = Net(size=3)
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.Net.__doc__, repr(m.ONE), repr(m.Net(size=4))) == ('New.', "Net(size=3, name='n')", "Net(size=4, name='n')"), (m.Net.__doc__, repr(m.ONE), repr(m.Net(size=4)))
    assert (sorted(m.Net.__dataclass_fields__), '__init__' in vars(m.Net), m.ONE.size) == (['name', 'size'], True, 3), (sorted(m.Net.__dataclass_fields__), '__init__' in vars(m.Net), m.ONE.size)
