"""A module that a `try: import` had missed is imported when its file appears; the fallback goes."""
WEIGHT = 2
TAGS = ['imports', 'held']
PYTHON = "3.8"
IMPORT = ['app']

FILES = {
    'defaults.py': '''\
LEVEL = 'default'
def level():
    return LEVEL
''',
    'app.py': '''\
SEEN = []
try:
    import local_settings as settings
except ImportError:
    import defaults as settings
try:
    from local_settings import *
except ImportError:
    pass
def show():
    SEEN.append(settings.LEVEL)
    return SEEN
''',
}

STEPS = [
    [
        ('write', 'local_settings.py', "LEVEL = 'local'\nDEBUG = True\n"),
    ],
    [
        ('sub', 'local_settings.py', "'local'", "'mine'"),
    ],
]


def setup(ns):
    ns.show = ns.app.show
    ns.show()


def check_1(ns):
    assert ns.show() == ['default', 'local']
    assert ns.app.DEBUG is True


def check(ns):
    assert ns.show() == ['default', 'local', 'mine']
