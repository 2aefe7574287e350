"""Private names are mangled in added methods, attributes and new lines of __init__."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Acc:
    def __init__(self):
        self.__n = 1
    def get(self):
        return self.__n
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Acc:
    __rate = 3
    def __init__(self):
        self.__n = 1
        self.__m = 5
    def get(self):
        return self.__n * self.__rate + self.__helper()
    def __helper(self):
        return self.__m
''',
        ),
    ],
]


def setup(ns):
    ns.a = ns.mod.Acc()
    ns.a._Acc__n = 2


def check(ns):
    assert ns.a.get() == 11 and ns.mod.Acc._Acc__rate == 3 and ns.mod.Acc().get() == 8
