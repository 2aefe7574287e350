"""An exception class that gets another base is caught by the new base's handlers."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class AppError(Exception):
    pass
class NotFound(Exception):
    pass
def get():
    raise NotFound("x")
def call():
    try:
        get()
    except AppError as e:
        return "app"
    except Exception:
        return "other"
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class AppError(Exception):
    pass
class NotFound(AppError, KeyError):
    pass
def get():
    raise NotFound("x")
def call():
    try:
        get()
    except AppError as e:
        return "app"
    except Exception:
        return "other"
''',
        ),
    ],
]


def setup(ns):
    ns.call, ns.old = ns.mod.call, ns.mod.NotFound("old")


def check(ns):
    assert ns.call() == "app"
    assert issubclass(ns.mod.NotFound, KeyError)
    try:
        ns.mod.get()
    except ns.mod.NotFound:
        pass
