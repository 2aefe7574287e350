"""A star import through an edited package gives what an explicit import gave before."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'lib/__init__.py': '''\
from .transports.wire import Wire
from .client import Client
''',
    'lib/client.py': '''\
from .transports.wire import Wire
class Client:
    pass
''',
    'lib/transports/__init__.py': '',
    'lib/transports/wire.py': '''\
class Wire:
    pass
''',
    'mod.py': '''\
import lib
from lib import Wire
def get():
    return sorted(name for name in vars(lib) if name[0] != "_"), lib.Wire is Wire
''',
}

STEPS = [
    [
        ('write', 'lib/__init__.py', '''\
from .client import *
from .transports import *
'''),
        ('write', 'lib/client.py', '''\
from .transports.wire import Wire
__all__ = ["Client"]
class Client:
    pass
'''),
        ('write', 'lib/transports/__init__.py', '''\
from .wire import *
__all__ = ["Wire", "Cable"]
'''),
        ('write', 'lib/transports/wire.py', '''\
__all__ = ["Wire", "Cable"]
class Wire:
    pass
class Cable:
    pass
'''),
    ],
]


def check(ns):
    assert ns.mod.get() == (["Cable", "Client", "Wire", "client", "transports"], True)
