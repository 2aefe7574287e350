"""A default value that a class makes is made again when its __init__, or one above it, is edited; rare branches are no obstacle."""
WEIGHT = 2
TAGS = ['functions', 'derived']
PYTHON = '3.8'

FILES = {
    'models.py': '''\
class Info:
    def __init__(self, default, kind=None):
        if kind == "odd":
            raise ValueError(kind)
        self.default = default
        self.kind = kind

class Option(Info):
    def __init__(self, default, flag=None):
        super().__init__(default)
        if flag is not None:
            import warnings
            warnings.warn("flags are not supported", stacklevel=2)
        self.flag = flag

def option(default, *names):
    return Option(default)
''',
    'app.py': '''\
from models import Option, option

def show(size=option(1, "--size"), *, color=Option("red")):
    return size, color

class View:
    def draw(self, width=option(2)):
        return width
''',
}

STEPS = [
    [
        ('write', 'models.py', '''\
class Info:
    def __init__(self, default):
        self.default = default
        self.required = default is None

class Option(Info):
    def __init__(self, default, flag=None):
        super().__init__(default)
        if flag is not None:
            import warnings
            warnings.warn("flags are not supported", stacklevel=2)
        self.flag = flag

def option(default, *names):
    return Option(default)
'''),
    ],
]


def setup(ns):
    ns.show = ns.app.show


def check(ns):
    size, color = ns.show()
    width = ns.app.View().draw()
    assert [vars(each) for each in (size, color, width)] == [
        {"default": default, "required": False, "flag": None} for default in (1, "red", 2)
    ]
