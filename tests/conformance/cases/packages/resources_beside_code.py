"""importlib.resources and `__file__` go on working after an edit."""
WEIGHT = 1
TAGS = ['packages', 'held']
PYTHON = "3.9"

FILES = {
    'p/__init__.py': '''\
import importlib.resources
def read():
    return (importlib.resources.files(__name__) / 'data.txt').read_text()
''',
    'p/data.txt': '''\
hello
''',
}

STEPS = [
    [
        ('sub', 'p/__init__.py', '.read_text()', '.read_text().upper()'),
    ],
]


def setup(ns):
    ns.read = ns.p.read


def check(ns):
    assert ns.read().strip() == 'HELLO'
    assert ns.p.__file__.endswith('__init__.py')
