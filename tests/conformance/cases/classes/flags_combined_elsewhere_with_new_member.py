"""A class of another module combines a flag with one that the same save adds; renumbered flags stay the same objects."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'perms.py': '''\
from enum import Flag, auto
class Perm(Flag):
    READ = auto()
    WRITE = auto()
    LIST = auto()
    ALL = READ | WRITE | LIST
''',
    'user.py': '''\
from perms import Perm
LIST = Perm.LIST
import perms
ALIAS = perms.Perm.LIST
''',
    'mod.py': '''\
import perms, user
from perms import Perm
HELD = [Perm.READ, Perm.LIST]
LIST = Perm.LIST
class User:
    perm = Perm.READ
class Admin:
    perm = Perm.READ | Perm.LIST
def get():
    return (User.perm == Perm(3) and User.perm is Perm(3), Admin.perm, Admin.perm is Perm.READ | Perm.LIST,
            [held is new for held, new in zip(HELD, (Perm.READ, Perm.LIST))], LIST is Perm.LIST is user.LIST is user.ALIAS,
            (Perm.LIST | Perm.READ).value, type(User.perm) is Perm, Perm.EXEC in User.perm)
''',
}

STEPS = [
    [
        ('write', 'perms.py', '''\
from enum import Flag, auto
class Perm(Flag):
    READ = auto()
    EXEC = auto()
    WRITE = auto()
    LIST = auto()
    ALL = READ | WRITE | LIST | EXEC
'''),
        ('write', 'mod.py', '''\
import perms, user
from perms import Perm
HELD = [Perm.READ, Perm.LIST]
LIST = Perm.LIST
class User:
    perm = Perm.READ | Perm.EXEC
class Admin:
    perm = Perm.READ | Perm.LIST
def get():
    return (User.perm == Perm(3) and User.perm is Perm(3), Admin.perm, Admin.perm is Perm.READ | Perm.LIST,
            [held is new for held, new in zip(HELD, (Perm.READ, Perm.LIST))], LIST is Perm.LIST is user.LIST is user.ALIAS,
            (Perm.LIST | Perm.READ).value, type(User.perm) is Perm, Perm.EXEC in User.perm)
'''),
    ],
]


def check(ns):
    got = ns.mod.get()
    both = ns.mod.Perm.READ | ns.mod.Perm.LIST
    assert got == (True, both, True, [True, True], True, 9, True, True), got
