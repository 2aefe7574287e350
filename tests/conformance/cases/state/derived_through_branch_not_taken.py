"""A value is derived again through a function whose branches with effects are not taken."""
WEIGHT = 2
TAGS = ['state']
PYTHON = '3.8'

FILES = {
    'ver.py': '''\
import functools
import subprocess
@functools.lru_cache
def changeset():
    return subprocess.run(["git", "log"], capture_output=True).stdout
def complete(version=None):
    if version is None:
        from os import sep as version
    else:
        assert len(version) == 5
    return version
def main(version):
    parts = 2 if version[2] == 0 else 3
    return ".".join(str(x) for x in version[:parts])
def get_version(version=None):
    version = complete(version)
    sub = ""
    if version[3] == "alpha" and version[4] == 0:
        sub = ".dev%s" % changeset()
    elif version[3] != "final":
        sub = {"alpha": "a", "beta": "b", "rc": "rc"}[version[3]] + str(version[4])
    return main(version) + sub
''',
    'mod.py': '''\
from ver import get_version
VERSION = (3, 1, 0, "final", 0)
__version__ = get_version(VERSION)
BANNER = f"v{__version__}"
LOG = []
def twice(x, verbose=False):
    if verbose:
        LOG.append(x)
        print(x)
    return x * 2
A = 3
N = twice(A)
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from ver import get_version
VERSION = (3, 1, 1, "rc", 2)
__version__ = get_version(VERSION)
BANNER = f"v{__version__}"
LOG = []
def twice(x, verbose=False):
    if verbose:
        LOG.append(x)
        print(x)
    return x * 2
A = 4
N = twice(A)
'''),
    ],
]


def check(ns):
    m = ns.mod
    assert (m.__version__, m.BANNER, m.N) == ('3.1.1rc2', 'v3.1.1rc2', 8), (m.__version__, m.BANNER, m.N)
