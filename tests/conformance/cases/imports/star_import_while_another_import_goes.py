"""A name stays that one star import gives, when a module of another star import no longer imports it."""
WEIGHT = 2
TAGS = ['imports']
PYTHON = '3.8'

FILES = {
    'lib/__init__.py': '''\
from .client import *
from .transports import *
''',
    'lib/client.py': '''\
from .transports.wire import Wire
__all__ = ["Client"]
class Client:
    kind = Wire
    def get(self):
        return "old"
''',
    'lib/transports/__init__.py': '''\
from .wire import *
__all__ = ["Wire"]
''',
    'lib/transports/wire.py': '''\
__all__ = ["Wire"]
class Wire:
    pass
''',
    'mod.py': '''\
import lib
def get():
    return lib.Client().get(), lib.Wire.__name__, hasattr(lib.client, "Wire")
''',
}

STEPS = [
    [
        ('write', 'lib/client.py', '''\
__all__ = ["Client"]
class Client:
    def get(self):
        return "new"
'''),
    ],
]


def check(ns):
    assert ns.mod.get() == ("new", "Wire", False)
