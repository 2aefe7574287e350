"""A name that is removed from its module is set there by a new statement of another module."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'pkg/__init__.py': '''\
from pkg import configs
from pkg.configs import config
''',
    'pkg/configs.py': '''\
class C:
    def __init__(self, x): self.x = x
config = C(1)
''',
    'mod.py': '''\
import pkg
''',
}

STEPS = [
    [
        ('write', 'pkg/__init__.py', '''\
from pkg import configs
from pkg.configs import C
config = C(2)
configs.config = config
'''),
        ('write', 'pkg/configs.py', '''\
class C:
    def __init__(self, x): self.x = x
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.pkg.config.x, m.pkg.configs.config.x, m.pkg.config is m.pkg.configs.config) == (2, 2, True), (m.pkg.config.x, m.pkg.configs.config.x, m.pkg.config is m.pkg.configs.config)
